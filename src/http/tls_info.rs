//! What is known of the TLS under a request.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

/// What is known of the TLS connection that a request came over: see [`Request::tls`](super::Request::tls).
///
/// Where TLS is a matter of the HTTP server around (feature `tower`), that server's program can put one of these into a
/// request's extensions:
///
/// ```
/// use sansocket::http::TlsInfo;
///
/// let mut tls = TlsInfo::default();
/// tls.protocol = Some("TLSv1.3".into());
/// tls.server_name = Some("example.org".into());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of the protocol: `TLSv1.2`, `TLSv1.3`.
    pub protocol: Option<String>,
    /// What both ends have agreed to encrypt with, by its name in the standard: `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: Option<String>,
    /// The name that the client has asked for (SNI).
    pub server_name: Option<String>,
    /// What both ends have agreed to speak over it (ALPN): `http/1.1`.
    pub alpn: Option<Bytes>,
    /// The certificates that the client has shown, and that were found to be good, in DER: its own, then those that vouch
    /// for it.
    pub certificates: Vec<Bytes>,
}
