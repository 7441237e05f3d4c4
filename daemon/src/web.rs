//! The API's socket, token and address file, and who is signed in at the panel.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ui::api::{Access, ApiServer, ApiToken, ServeError, Sessions, Tokens, TokensError};
use ui::cli::arguments::Panel;

use crate::data_folder::DataFolder;
use crate::entropy;
use crate::settings::PANEL_PORT;

/// What is wrong with the files of the API.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A file cannot be read or written.
    #[error("cannot {what} {path} ({source}): check the permissions and the disk")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The token's file holds something else.
    #[error("{0} holds no token: delete it, and the next start makes a new one")]
    Token(PathBuf),
    /// The file of other programs' tokens is of a later version.
    #[error("{path}: {why}")]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: TokensError,
    },
    /// The socket.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// The token of this daemon, made at the first start.
///
/// # Errors
/// [`WebError`].
pub fn token(folder: &DataFolder) -> Result<ApiToken, WebError> {
    let path = folder.token();
    match platform::private_file::read(&path) {
        Ok(file) => ApiToken::parse(&file).ok_or(WebError::Token(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut random = [0; 32];
            entropy::fill(&mut random);
            let token = ApiToken::from_random(&random);
            let failed = |source| WebError::Io { what: "write", path: path.clone(), source };
            platform::private_file::create(&path, token.as_str().as_bytes()).map_err(failed)?;
            Ok(token)
        }
        Err(source) => Err(WebError::Io { what: "read", path, source }),
    }
}

/// The tokens that were made for other programs; none before the first. A file that holds something else is put aside, and nobody has a
/// token then: a drive must not stay shut for it.
///
/// # Errors
/// [`WebError`]; the file is as it was.
fn tokens(folder: &DataFolder) -> Result<Tokens, WebError> {
    let path = folder.tokens();
    let keep = Box::new({
        let path = path.clone();
        move |file: &[u8]| platform::private_file::replace(&path, file)
    });
    match platform::private_file::read(&path) {
        Ok(file) => match Tokens::open(&file, entropy::fill, keep) {
            Err(TokensError::Garbage(why)) => put_aside(folder, &why),
            opened => opened.map_err(|why| WebError::Tokens { path, why }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tokens::new(entropy::fill, keep)),
        Err(source) => Err(WebError::Io { what: "read", path, source }),
    }
}

fn put_aside(folder: &DataFolder, why: &str) -> Result<Tokens, WebError> {
    let (path, aside) = (folder.tokens(), folder.tokens_aside());
    let failed = |source| WebError::Io { what: "rename", path: path.clone(), source };
    std::fs::rename(&path, &aside).map_err(failed)?;
    tracing::warn!(
        "{} held no tokens ({why}): it is {} now, and programs need new tokens (`peerdrive token create`)",
        path.display(),
        aside.display()
    );
    let keep = Box::new(move |file: &[u8]| platform::private_file::replace(&path, file));
    Ok(Tokens::new(entropy::fill, keep))
}

/// What outlives a drive that is closed to join another one: browsers stay signed in, at the same address.
pub struct Web {
    /// Browsers that are signed in.
    pub sessions: Arc<Sessions>,
    /// Where it listened before.
    pub address: Option<SocketAddr>,
}

impl Web {
    /// Nobody is signed in.
    pub fn new() -> Self {
        Self { sessions: Arc::new(Sessions::new(entropy::fill)), address: None }
    }

    /// Who may come in.
    ///
    /// # Errors
    /// [`WebError`].
    pub fn access(
        &self,
        folder: &DataFolder,
        panel: Option<Panel>,
        workspace: String,
    ) -> Result<Access, WebError> {
        let sessions = (panel != Some(Panel::Off)).then(|| Arc::clone(&self.sessions));
        Ok(Access { token: token(folder)?, sessions, tokens: Arc::new(tokens(folder)?), workspace })
    }
}

/// Listens where it did before, or as the settings say. Without a panel the commands still need a way in, on a port of its own.
///
/// # Errors
/// [`WebError::Serve`].
pub async fn listen(panel: Option<Panel>, before: Option<SocketAddr>) -> Result<ApiServer, WebError> {
    if let Some(before) = before
        && let Ok(server) = ApiServer::bind(before).await
    {
        return Ok(server);
    }
    let server = match panel {
        Some(Panel::At(address)) => ApiServer::bind(address).await,
        Some(Panel::Off) => ApiServer::bind_near(0).await,
        None => ApiServer::bind_near(PANEL_PORT).await,
    };
    Ok(server?)
}

/// Tells the commands where to ask.
///
/// # Errors
/// [`WebError::Io`].
pub fn announce(folder: &DataFolder, server: &ApiServer) -> Result<(), WebError> {
    let path = folder.address();
    let text = format!("{}\n", server.address());
    let failed = |source| WebError::Io { what: "write", path: path.clone(), source };
    platform::private_file::replace(&path, text.as_bytes()).map_err(failed)
}

/// Takes that back.
pub fn withdraw(folder: &DataFolder) {
    match std::fs::remove_file(folder.address()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "the address of the API stays behind; commands see by the lock that nobody is there");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_the_same_and_garbage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        let first = token(&folder).unwrap();
        assert_eq!(token(&folder).unwrap().as_str(), first.as_str());
        assert!(!platform::private_file::is_open_to_others(&folder.token()).unwrap());
        std::fs::write(folder.token(), "garbage").unwrap();
        assert!(matches!(token(&folder), Err(WebError::Token(_))));
        assert_eq!(std::fs::read(folder.token()).unwrap(), b"garbage");
    }

    #[test]
    fn tokens_that_are_none_are_put_aside_and_newer_ones_stop_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        std::fs::write(folder.tokens(), "garbage").unwrap();
        drop(tokens(&folder).unwrap());
        assert_eq!(std::fs::read(folder.tokens_aside()).unwrap(), b"garbage");
        assert!(!folder.tokens().exists());
        let newer = br#"{"format": "peerdrive tokens", "version": 2, "tokens": []}"#;
        std::fs::write(folder.tokens(), newer).unwrap();
        assert!(matches!(tokens(&folder), Err(WebError::Tokens { .. })));
        assert_eq!(std::fs::read(folder.tokens()).unwrap(), newer);
    }
}
