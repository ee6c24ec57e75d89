//! What answers requests for other paths than the endpoint's.

use core::future::Future;
use core::pin::Pin;
use std::boxed::Box;
use std::sync::Arc;

use crate::http::{Request, Response, StaticFiles};
use crate::runtime::Runtime;

/// A response that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What answers requests for other paths than the endpoint's: an async closure, [`StaticFiles`], or one after the other
/// ([`StaticFiles::or`]). `R` is the runtime that the server is on.
///
/// The type of a closure's argument has to be written: `|request: Request| async move { … }`.
#[diagnostic::on_unimplemented(
    message = "a fallback is `StaticFiles`, or a closure from `Request` to a future of `Response`",
    note = "write the type of the closure's argument: `|request: Request| async move {{ … }}`"
)]
pub trait Fallback<R>: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, runtime: &R, request: Request) -> Answering;
}

impl<R, F, Fut> Fallback<R> for F
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    fn answer(&self, _runtime: &R, request: Request) -> Answering {
        Box::pin(self(request))
    }
}

/// Looks for the file where that holds up nobody else; 404 where there is none.
impl<R: Runtime> Fallback<R> for StaticFiles {
    fn answer(&self, runtime: &R, request: Request) -> Answering {
        let (files, runtime) = (self.clone(), runtime.clone());
        Box::pin(async move {
            let looked = runtime.offload(move || files.answer(&request)).await;
            match looked {
                Ok(found) => found.unwrap_or_else(Response::not_found),
                Err(_no_thread) => Response::new(503),
            }
        })
    }
}

/// Files, and what answers where there is none: see [`StaticFiles::or`].
#[derive(Clone, Debug)]
pub struct FilesOr<N> {
    pub(in crate::runtime) files: StaticFiles,
    pub(in crate::runtime) next: Arc<N>,
}

impl StaticFiles {
    /// Asks somebody else where there is no such file, or no route to one.
    ///
    /// ```
    /// use sansocket::http::{Request, Response, StaticFiles};
    ///
    /// let fallback = StaticFiles::new().route("/static", "public").or(|request: Request| async move {
    ///     match request.path() {
    ///         "/health" => Response::new(200).body("ok"),
    ///         _ => Response::not_found(),
    ///     }
    /// });
    /// ```
    pub fn or<N>(self, next: N) -> FilesOr<N> {
        FilesOr {
            files: self,
            next: Arc::new(next),
        }
    }
}

impl<R: Runtime, N: Fallback<R>> Fallback<R> for FilesOr<N> {
    fn answer(&self, runtime: &R, request: Request) -> Answering {
        let (files, next, runtime) = (self.files.clone(), self.next.clone(), runtime.clone());
        Box::pin(async move {
            let looked = {
                let request = request.clone();
                runtime.offload(move || files.answer(&request)).await
            };
            match looked {
                Ok(Some(response)) => response,
                Ok(None) => next.answer(&runtime, request).await,
                Err(_no_thread) => Response::new(503),
            }
        })
    }
}
