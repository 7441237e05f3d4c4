//! Takes connections: on loopback, a bounded number, none for longer than it needs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::guard::{ApiToken, Guard};
use super::host::Host;
use super::rates::Rates;
use super::routes;
use super::sessions::Sessions;
use super::tokens::Tokens;
use super::uploads;
use super::work::Api;

/// Connections at a time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 32;
/// The head of a request must be there after this time; an idle connection ends after it too.
const HEADER_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long requests that are being answered may take when the daemon ends.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(2);
/// Between two looks for abandoned uploads, and before the first.
const SWEEP_PAUSE: Duration = Duration::from_secs(3600);
/// After a failed accept (no file descriptors), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the API does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not an address of this computer alone.
    #[error("{0} can be reached from other computers: the API listens on loopback only, like 127.0.0.1:7337")]
    NotLoopback(SocketAddr),
    /// The address is taken, or forbidden.
    #[error("cannot listen on {address} ({source}): choose another address with --panel")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Who may come in.
pub struct Access {
    /// Programs with this token.
    pub token: ApiToken,
    /// Browsers with a session; none where there is no panel.
    pub sessions: Option<Arc<Sessions>>,
    /// Programs with tokens that were made for them.
    pub tokens: Arc<Tokens>,
    /// The drive that is open: tokens of other drives are none here.
    pub workspace: String,
}

/// The API's socket, bound; [`ApiServer::serve`] answers.
pub struct ApiServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl ApiServer {
    /// Listens on `address`. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Listens on `port` of 127.0.0.1, or on any other port if that one is taken.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when no port is free.
    pub async fn bind_near(port: u16) -> Result<Self, ServeError> {
        match Self::bind((Ipv4Addr::LOCALHOST, port).into()).await {
            Err(ServeError::Listen { .. }) => Self::bind((Ipv4Addr::LOCALHOST, 0).into()).await,
            done => done,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` becomes true; requests in work are then finished, for two seconds at most.
    pub async fn serve(self, access: Access, host: Arc<dyn Host>, mut stop: watch::Receiver<bool>) {
        let guard = Arc::new(Guard {
            token: access.token,
            address: self.address,
            sessions: access.sessions,
            tokens: access.tokens,
            workspace: access.workspace,
            rates: Rates::default(),
        });
        let api = Api::new(host, stop.clone());
        let router = routes::router(api.clone(), &guard);
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        connections.spawn(sweep_uploads(api, stop.clone()));
        loop {
            let accepted = async {
                let permit = Arc::clone(&free).acquire_owned().await;
                (self.listener.accept().await, permit)
            };
            tokio::select! {
                biased;
                () = told(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                (taken, permit) = accepted => match taken {
                    Ok((stream, _)) => {
                        let answer = answer(stream, router.clone(), stop.clone());
                        connections.spawn(async move {
                            answer.await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the API could not take a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS_WAIT, rest).await.is_err() {
            tracing::debug!("requests were cut off at the end");
        }
    }
}

/// Waits until it is told to stop, or nobody is left who could tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Gives up abandoned uploads from time to time.
async fn sweep_uploads(api: Api, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = told(&mut stop) => return,
            () = tokio::time::sleep(SWEEP_PAUSE) => {}
        }
        let swept = api.work(|api| {
            let Some(drive) = api.host.drive() else { return Ok(0) };
            Ok(uploads::sweep(&drive, &api.uploads, SystemTime::now())?)
        });
        match swept.await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "abandoned uploads were given up"),
            Err(error) => tracing::warn!(%error, "abandoned uploads stay for now"),
        }
    }
}

async fn answer(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the API ended early");
    }
}
