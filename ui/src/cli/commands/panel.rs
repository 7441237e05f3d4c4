//! A link to the panel.

use super::Asked;
use super::tokens::scope_word;
use crate::answers::{PanelLink, Scope};
use crate::cli::Failure;

pub(super) fn panel(asked: &mut Asked<'_>, open: bool, scope: Scope) -> Result<(), Failure> {
    let route = format!("/panel?scope={}", scope_word(scope));
    let link: PanelLink = asked.connect()?.post(&route, &serde_json::json!({}))?;
    if open {
        let failed = |error| {
            Failure::Failed(format!(
                "no browser opened ({error}): run `peerdrive panel` and open the link it prints"
            ))
        };
        return asked.computer.open_in_browser(&link.url).map_err(failed);
    }
    if asked.output.is_json() {
        return asked.output.json(&link);
    }
    asked.output.line(&link.url)
}
