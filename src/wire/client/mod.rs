//! The client's half of the wire: bytes in, bytes out, for one session.
//!
//! - [`Options`] say where a server is and what every request says; [`Target`], [`Proxies`] and [`Cookies`] are parts of that.
//! - [`Connection`] is all that is between the machine and its byte streams.
//! - [`ConnectError`] says what went wrong, and whose fault it was.

mod authority;
mod connection;
mod cookies;
mod error;
mod http;
mod no_proxy;
mod options;
mod proxy;
#[cfg(feature = "tls")]
mod secure;
mod target;
#[cfg(test)]
mod tests;
mod websocket;

pub use connection::{Connection, StreamId};
pub use cookies::{Cookies, MAX_COOKIE_BYTES, MAX_COOKIES};
pub use error::{ConnectError, ErrorKind, Refused};
pub use options::Options;
pub use proxy::{Proxies, Proxy};
pub use target::Target;
