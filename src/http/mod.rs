//! Engine.IO over HTTP: what a request asks for, and who may ask.
//!
//! Nothing here keeps state. A request comes as a borrowed [`RequestView`], whichever HTTP implementation has read it;
//! [`Endpoint::route`] says what it is. Answers follow the JavaScript reference; where they do not, a comment says why.

mod compression;
mod cookie;
mod cors;
mod endpoint;
mod extra_headers;
#[cfg(feature = "wire")]
mod file_part;
mod hook;
pub mod jsonp;
mod proxies;
mod request;
mod response;
#[cfg(feature = "wire")]
mod static_files;
mod terms;
mod tls_info;

pub use compression::{Coding, Compression};
pub use cookie::{Cookie, SameSite};
pub use cors::{Cors, CorsAnswer};
pub use endpoint::{Endpoint, Headers, Look, RequestView, Route, SessionRequest};
pub use extra_headers::ExtraHeaders;
#[cfg(feature = "wire")]
pub use file_part::FilePart;
pub use proxies::TrustedProxies;
pub use request::Request;
pub use response::Response;
#[cfg(feature = "wire")]
pub use static_files::StaticFiles;
pub use terms::Terms;
pub use tls_info::TlsInfo;
