//! Engine.IO over HTTP: what a request asks for, and who may ask.
//!
//! Nothing here keeps state. A request comes as a borrowed [`RequestView`], whichever HTTP implementation has read it;
//! [`Endpoint::route`] says what it is. Answers follow the JavaScript reference; where they do not, a comment says why.

mod cors;
mod endpoint;
mod request;
mod response;

pub use cors::{Cors, CorsAnswer};
pub use endpoint::{Endpoint, Headers, RequestView, Route, SessionRequest};
pub use request::Request;
pub use response::Response;
