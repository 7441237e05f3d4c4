//! What a link costs beside plain QUIC. Prints figures; decides nothing.
//!
//! `cargo bench -p transport --bench throughput -- [MIB]`: so much (default: 1 GiB) from one endpoint to another on the
//! loopback interface, as frames of 256 KiB and of 4 KiB over a link, as one stream of plain quinn with the
//! settings it comes with, and an eighth of it over a link through a third endpoint.

#![allow(clippy::print_stdout)] // Printing figures is all it is for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::version::TLS13;
use tokio::runtime::Builder;
use transport::{Admission, Arrival, Endpoint, EndpointConfig, Identity, Lane, Link, PeerKey, Rates};

const DEFAULT_MIB: usize = 1024;
const LARGE_BYTES: usize = 256 << 10;
const SMALL_BYTES: usize = 4 << 10;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let mib = arguments.next().map_or(DEFAULT_MIB, |text| text.parse().expect("MIB is a number"));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        for round in 1..=3 {
            report(round, "plain quinn, one stream", plain(mib << 20).await, mib);
            report(round, "link, frames of 256 KiB", link(mib << 20, LARGE_BYTES).await, mib);
            report(round, "link, frames of 4 KiB", link(mib << 20, SMALL_BYTES).await, mib);
            report(round, "link through a relay", relayed((mib / 8) << 20).await, mib / 8);
        }
    });
}

fn report(round: u32, what: &str, seconds: f64, mib: usize) {
    println!("{round}  {what:<28} {:>7.0} MiB/s", mib as f64 / seconds);
}

struct Everybody;

impl Admission for Everybody {
    fn admits(&self, _: &PeerKey) -> bool {
        true
    }

    fn pairing_open(&self) -> bool {
        false
    }
}

fn endpoint(seed: u8) -> (Endpoint, transport::Arrivals) {
    let identity = Identity::from_seed(&[seed; 32]).expect("any seed makes an identity");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = EndpointConfig { listen, identity, admission: Arc::new(Everybody), rates: Rates::default() };
    Endpoint::bind(config).expect("a port is free")
}

/// Seconds until the last frame has arrived.
async fn link(total_bytes: usize, frame_bytes: usize) -> f64 {
    let ((here, _), (there, mut arrivals)) = (endpoint(1), endpoint(2));
    let link = here.connect(there.address(), there.key()).await.expect("the other end is there");
    let arrived = member(&mut arrivals).await;
    transfer(&link, arrived, total_bytes, frame_bytes).await
}

/// The same through a relay without a limit.
async fn relayed(total_bytes: usize) -> f64 {
    let ((here, _), (middle, mut at_middle), (there, mut arrivals)) = (endpoint(1), endpoint(3), endpoint(2));
    middle.set_relay(u64::MAX);
    let relay = here.connect(middle.address(), middle.key()).await.expect("the relay is there");
    let _relay_of_the_other =
        there.connect(middle.address(), middle.key()).await.expect("the relay is there");
    let _held = (member(&mut at_middle).await, member(&mut at_middle).await);
    let link = loop {
        // Until the paths to the relay are measured.
        if let Ok(link) = here.connect_through(&relay.sender, there.key()).await {
            break link;
        }
        tokio::task::yield_now().await;
    };
    let arrived = member(&mut arrivals).await;
    transfer(&link, arrived, total_bytes, LARGE_BYTES).await
}

async fn member(arrivals: &mut transport::Arrivals) -> Link {
    let Some(Arrival::Member(arrived)) = arrivals.next().await else { panic!("a member called") };
    arrived
}

async fn transfer(link: &Link, mut arrived: Link, total_bytes: usize, frame_bytes: usize) -> f64 {
    let payload = Bytes::from(vec![7; frame_bytes]);
    let started = Instant::now();
    let sender = link.sender.clone();
    tokio::spawn(async move {
        for _ in 0..total_bytes / frame_bytes {
            sender.send(Lane::Bulk, vec![payload.clone()]).await.expect("the link lives");
        }
    });
    let mut received = 0;
    while received < total_bytes {
        received += arrived.receiver.recv().await.expect("the link lives").1.len();
    }
    started.elapsed().as_secs_f64()
}

/// Seconds until the last byte has arrived.
async fn plain(total_bytes: usize) -> f64 {
    let (here, there) = plain_endpoints();
    let connecting =
        here.connect(there.local_addr().expect("it is bound"), "localhost").expect("a valid call");
    let accepting =
        async { there.accept().await.expect("it listens").await.expect("the handshake succeeds") };
    let (called, accepted) = tokio::join!(connecting, accepting);
    let called = called.expect("the handshake succeeds");
    let payload = Bytes::from(vec![7; LARGE_BYTES]);
    let started = Instant::now();
    let sending = tokio::spawn(async move {
        let mut stream = called.open_uni().await.expect("the peer allows streams");
        for _ in 0..total_bytes / LARGE_BYTES {
            stream.write_chunk(payload.clone()).await.expect("the peer reads");
        }
        stream.finish().expect("the stream is open");
        // Keeps the connection until all is acknowledged.
        stream.stopped().await.expect("the peer reads to the end");
    });
    let mut stream = accepted.accept_uni().await.expect("the peer opens one");
    while stream.read_chunk(usize::MAX, false).await.expect("the peer writes").is_some() {}
    let seconds = started.elapsed().as_secs_f64();
    sending.await.expect("sending does not panic");
    seconds
}

fn plain_endpoints() -> (quinn::Endpoint, quinn::Endpoint) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key can be made");
    let params = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a valid name");
    let certificate = params.self_signed(&pair).expect("a certificate can be made").der().clone();
    let provider = Arc::new(default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3 is there")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivatePkcs8KeyDer::from(pair.serialize_der()).into());
    let server = QuicServerConfig::try_from(server.expect("a valid key")).expect("a QUIC suite is there");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a valid certificate");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3 is there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = QuicClientConfig::try_from(client).expect("a QUIC suite is there");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let there = quinn::Endpoint::server(quinn::ServerConfig::with_crypto(Arc::new(server)), any);
    let mut here = quinn::Endpoint::client(any).expect("a port is free");
    here.set_default_client_config(quinn::ClientConfig::new(Arc::new(client)));
    (here, there.expect("a port is free"))
}
