//! A link to the panel.

use super::Asked;
use crate::answers::PanelLink;
use crate::cli::Failure;

pub(super) fn panel(asked: &mut Asked<'_>, open: bool) -> Result<(), Failure> {
    let link: PanelLink = asked.connect()?.post("/panel", &serde_json::json!({}))?;
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
