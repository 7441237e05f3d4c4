//! TLS 1.3 between devices: both show a certificate, both prove its key, nobody else vouches for anyone.
//!
//! ```text
//!  client: the key must be the pinned one (or any, to pair)      server: any Ed25519 key; the endpoint's
//!                     └── signature checked by rustls ──┘                gate asks `Admission` at once after
//! ```

use std::sync::Arc;

use parking_lot::Mutex;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use crate::key::{Identity, PeerKey};

/// Members of a workspace.
pub(crate) const ALPN_MEMBER: &[u8] = b"peerdrive/1";
/// Devices that hold an invitation.
pub(crate) const ALPN_PAIRING: &[u8] = b"peerdrive-pair/1";
/// The name in the clear of every connection: the same for all, so that it tells nothing.
pub(crate) const SERVER_NAME: &str = "peerdrive";

/// A certificate of ours has under 300 bytes.
const CERTIFICATE_MAX_BYTES: usize = 1024;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What this device answers with.
pub(crate) fn server(identity: &Identity) -> Result<QuicServerConfig, Error> {
    let provider = provider();
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(ByKey { provider, pinned: None, impostor: Arc::default() }))
        .with_single_cert(identity.chain(), identity.private_key())?;
    config.alpn_protocols = vec![ALPN_MEMBER.to_vec(), ALPN_PAIRING.to_vec()];
    // A resumed session would be one more thing to forget when a device is removed.
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(|_| Error::General("no QUIC cipher suite".into()))
}

/// What this device calls with. The second value tells, after a failure, which key was shown instead of the pinned one.
pub(crate) fn client(
    identity: &Identity,
    pinned: Option<PeerKey>,
    alpn: &[u8],
) -> Result<(QuicClientConfig, Arc<Impostor>), Error> {
    let provider = provider();
    let impostor = Arc::new(Impostor::default());
    let verifier = ByKey { provider: Arc::clone(&provider), pinned, impostor: Arc::clone(&impostor) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(identity.chain(), identity.private_key())?;
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    let config =
        QuicClientConfig::try_from(config).map_err(|_| Error::General("no QUIC cipher suite".into()))?;
    Ok((config, impostor))
}

/// The key that was shown instead of the pinned one, if any.
#[derive(Debug, Default)]
pub(crate) struct Impostor(Mutex<Option<PeerKey>>);

impl Impostor {
    pub(crate) fn key(&self) -> Option<PeerKey> {
        *self.0.lock()
    }
}

/// The key of a chain as our devices show it: one small certificate and nothing else.
fn shown_key(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<PeerKey, Error> {
    let small = others.is_empty() && certificate.len() <= CERTIFICATE_MAX_BYTES;
    let key = small.then(|| PeerKey::of_certificate(certificate)).flatten();
    key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// Takes every device that proves its key, or the pinned one alone. Whether a caller may come in is asked right after the
/// handshake.
#[derive(Debug)]
struct ByKey {
    provider: Arc<CryptoProvider>,
    pinned: Option<PeerKey>,
    impostor: Arc<Impostor>,
}

impl ByKey {
    fn check(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        let shown = shown_key(certificate, others)?;
        if self.pinned.is_some_and(|pinned| pinned != shown) {
            *self.impostor.0.lock() = Some(shown);
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(())
    }
}

/// How signatures are checked is the same on both sides, but each side has its own trait for it.
macro_rules! ed25519_signatures_of_tls13 {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _cert: &CertificateDer<'_>,
            _dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("TLS 1.2 is not spoken here".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    };
}

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    ed25519_signatures_of_tls13!();
}

impl ClientCertVerifier for ByKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    ed25519_signatures_of_tls13!();
}
