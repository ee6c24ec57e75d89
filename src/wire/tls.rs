//! TLS from memory: bytes in, bytes out, both ends, over `rustls`.
//!
//! - [`Acceptor`] is what a server has: certificates, chosen by the name that the client asks for, and replaced without a
//!   restart.
//! - [`Connector`] is what a client has: whom it trusts, and perhaps a certificate of its own.
//! - [`Identity`] and [`Roots`] are read from PEM.
//! - [`TlsConnection`] is one connection. [`wire::Connection`](super::Connection) and
//!   [`wire::client::Connection`](super::client::Connection) have theirs inside; a loop of your own needs it only for
//!   streams of its own.
//!
//! TLS 1.2 and 1.3, with the cryptography of `ring` unless a configuration of `rustls`'s is handed in. The only protocol
//! above it is HTTP/1.1 (ALPN `http/1.1`); there is no renegotiation and no early data, which could be replayed.

mod acceptor;
mod connection;
mod connector;
mod error;
mod identity;
mod roots;
#[cfg(test)]
pub(crate) mod tests;
mod verifier;

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use acceptor::{Acceptor, ServerOptions};
pub use connection::TlsConnection;
pub use connector::{ClientOptions, Connector};
pub use error::TlsError;
pub use identity::Identity;
pub use roots::Roots;

/// What is spoken above TLS, as ALPN has it.
const ALPN: &[u8] = b"http/1.1";

/// The cryptography of whoever hands in no configuration of its own. The process's default is left to the application.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()));
    provider.clone()
}
