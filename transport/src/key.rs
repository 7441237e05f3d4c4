//! Who a device is on the wire: its Ed25519 key, and the certificate made of it.
//!
//! ```text
//!  seed ──▶ PKCS#8 ──▶ self-signed certificate ──TLS──▶ PeerKey at the other end
//! ```
//!
//! The certificate says nothing but the key: no name, no date that matters.

use std::fmt;

use data_encoding::HEXLOWER;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use zeroize::Zeroizing;

/// Bytes of an Ed25519 public key.
pub const PEER_KEY_BYTES: usize = 32;

/// PKCS#8 of an Ed25519 key, up to the 32 bytes of the seed.
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A subject public key info with an Ed25519 key, up to the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// The Ed25519 public key of a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(pub [u8; PEER_KEY_BYTES]);

impl PeerKey {
    /// The key in a certificate; `None` if it is none of Ed25519 or cannot be parsed.
    pub(crate) fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let info = parsed.subject_public_key_info();
        let key = info.strip_prefix(&SPKI_PREFIX)?;
        Some(Self(key.try_into().ok()?))
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..8]))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

/// Why no TLS identity could be made of a seed.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made of the device key: {0}")]
pub struct IdentityError(#[from] rcgen::Error);

/// What a device shows and proves in TLS.
pub struct Identity {
    certificate: CertificateDer<'static>,
    pkcs8: Zeroizing<Vec<u8>>,
    key: PeerKey,
}

impl Identity {
    /// The identity of the device whose Ed25519 seed this is.
    ///
    /// # Errors
    /// If the cryptographic library refuses the key; it takes any 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, IdentityError> {
        let pkcs8 = Zeroizing::new([&PKCS8_PREFIX[..], seed].concat());
        let pair =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(&pkcs8[..]), &PKCS_ED25519)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.self_signed(&pair)?.der().clone();
        let key = PeerKey::of_certificate(&certificate).ok_or(rcgen::Error::CouldNotParseCertificate)?;
        Ok(Self { certificate, pkcs8, key })
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> PeerKey {
        self.key
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_seed() {
        // RFC 8032, test 1.
        let seed =
            HEXLOWER.decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let identity = Identity::from_seed(&seed.try_into().unwrap()).unwrap();
        let expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(HEXLOWER.encode(&identity.key().0), expected);
    }

    #[test]
    fn a_certificate_without_an_ed25519_key_has_no_peer() {
        let pair = KeyPair::generate().unwrap();
        let other = CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
        assert_eq!(PeerKey::of_certificate(other.der()), None);
        assert_eq!(PeerKey::of_certificate(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
