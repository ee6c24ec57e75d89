//! What answers requests for other paths than the endpoint's, on threads.

use crate::http::{Request, Response, StaticFiles};
use crate::runtime::engineio::FilesOr;

/// What answers requests for other paths than the endpoint's: a closure, [`StaticFiles`], or one after the other
/// ([`StaticFiles::or`]). It may block.
///
/// The type of a closure's argument has to be written: `|request: Request| …`.
#[diagnostic::on_unimplemented(
    message = "a fallback is `StaticFiles`, or a closure from `Request` to `Response`",
    note = "write the type of the closure's argument: `|request: Request| …`"
)]
pub trait Fallback: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: Request) -> Response;
}

impl<F: Fn(Request) -> Response + Send + Sync + 'static> Fallback for F {
    fn answer(&self, request: Request) -> Response {
        self(request)
    }
}

/// 404 where there is no such file.
impl Fallback for StaticFiles {
    fn answer(&self, request: Request) -> Response {
        StaticFiles::answer(self, &request).unwrap_or_else(Response::not_found)
    }
}

impl<N: Fallback> Fallback for FilesOr<N> {
    fn answer(&self, request: Request) -> Response {
        match self.files.answer(&request) {
            Some(response) => response,
            None => self.next.answer(request),
        }
    }
}
