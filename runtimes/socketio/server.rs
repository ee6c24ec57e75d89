//! The server: its namespaces and handlers first, then an address.

use core::fmt;
use core::future::ready;
use core::net::SocketAddr;
use core::ops::Deref;
use std::sync::Arc;

use super::attend::attend;
use super::builder::Builder;
use super::handle::Handle;
use super::registry::Registry;
use crate::error::Result;
use crate::http::Request;
use crate::runtime::Runtime;
#[cfg(feature = "tower")]
use crate::runtime::engineio::Hosted;
use crate::runtime::engineio::{Builder as EngineBuilder, Handle as EngineHandle, Server as EngineServer};

/// A server: its namespaces are made and given handlers, then it is bound to an address and serves.
///
/// It dereferences to its [`Handle`], which can be cloned and kept anywhere.
pub struct Server<R: Runtime> {
    engine: EngineBuilder<R>,
    handle: Handle,
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Deref for Server<R> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl<R: Runtime + Default> Server<R> {
    /// A server with the default options.
    #[allow(
        clippy::new_without_default,
        reason = "a server is no value of which one would want an empty one"
    )]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The options.
    pub fn builder() -> Builder<R> {
        Builder::new(R::default())
    }
}

impl<R: Runtime> Server<R> {
    /// The options of a server on a runtime that is a value.
    pub fn builder_on(runtime: R) -> Builder<R> {
        Builder::new(runtime)
    }

    pub(super) fn with(engine: EngineBuilder<R>, handle: Handle) -> Self {
        Self { engine, handle }
    }

    /// The server from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Listens on an address, such as `127.0.0.1:3000` or `localhost:3000`; port 0 is any free one.
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) for options that can not be used, [`Error::Io`](crate::Error::Io) where
    /// the system refuses the address.
    pub async fn bind(self, address: &str) -> Result<Bound<R>> {
        let engine = self
            .engine
            .on_connect(|request| ready(Ok(Arc::new(request))))
            .bind(address)
            .await?;
        // A server is bound once: it is taken.
        let _first = self.handle.registry.engine.set(engine.handle());
        let end = End(self.handle.registry.clone());
        Ok(Bound {
            engine,
            handle: self.handle,
            end,
        })
    }
}

#[cfg(feature = "tower")]
impl<R: Runtime> Server<R> {
    /// Serves inside of an application of hyper's, axum's or any other that speaks `tower`: see
    /// [`tower`](crate::runtime::tower). The server runs from now on, on its runtime, where this must be called.
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) for options that can not be used, among them a fallback, TLS and limits of
    /// connections for one address, which are the application's.
    ///
    /// # Panics
    /// Where the runtime's own functions do: tokio's outside of a runtime of tokio's.
    pub fn layer(self) -> Result<crate::runtime::tower::Layer<R>> {
        let registry = self.handle.registry.clone();
        let end = End(registry.clone());
        let engine = self.engine.on_connect(|request| ready(Ok(Arc::new(request))));
        let hosted = Hosted::accepting(
            engine,
            move |socket| {
                let registry = registry.clone();
                async move {
                    let request = socket.data().clone();
                    attend(registry, socket, Some(request)).await;
                    Ok(())
                }
            },
            end,
        )?;
        // A server is hosted once: it is taken.
        let _first = self.handle.registry.engine.set(hosted.handle.clone());
        Ok(crate::runtime::tower::Layer::new(hosted))
    }
}

/// A server that listens, and serves once [`serve`](Self::serve) is called.
pub struct Bound<R: Runtime> {
    engine: EngineServer<R, Arc<Request>>,
    handle: Handle,
    end: End,
}

impl<R: Runtime> fmt::Debug for Bound<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Bound<R> {
    /// The address that the server listens on, with the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.engine.local_addr()
    }

    /// The server from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The Engine.IO server below it, from outside.
    pub fn engine(&self) -> EngineHandle {
        self.engine.handle()
    }

    /// Serves. Ready when the server was [shut down](Handle::shutdown); dropping the future ends the server at once.
    ///
    /// # Errors
    /// None at present.
    pub async fn serve(self) -> Result<()> {
        let _end = self.end;
        let registry = self.handle.registry;
        self.engine
            .serve(move |socket| {
                let registry = registry.clone();
                async move {
                    let request = socket.data().clone();
                    attend(registry, socket, Some(request)).await;
                    Ok(())
                }
            })
            .await
    }
}

/// Lets go of the handlers when the server is over.
struct End(Arc<Registry>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}
