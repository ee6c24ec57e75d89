//! What a client knows before it connects: where the server is, which proxy leads there, which cookies it was given.

mod authority;
mod cookies;
mod no_proxy;
mod proxy;
mod target;

pub use cookies::{Cookies, MAX_COOKIE_BYTES, MAX_COOKIES};
pub use proxy::{Proxies, Proxy};
pub use target::Target;
