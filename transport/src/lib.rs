//! The wire: identity, TLS, QUIC, discovery, pairing, rate limits. Knows nothing of files or of what chunks mean.
