//! The application's handlers of one namespace, or of all that a pattern means.

use core::any::Any;
use std::boxed::Box;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::vec::Vec;

use super::connecting::ConnectRequest;
use super::refused::Refused;
use super::socket::SocketCore;
use crate::engineio::Str;
use crate::runtime::app::BoxFuture;
use crate::socketio::server::DisconnectReason;
use crate::socketio::{Args, DecodeError};

pub(super) type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// Shared: a socket that comes back has what the one before had, which may still be in use.
pub(super) type AnyData = Arc<dyn Any + Send + Sync>;

/// Why a handler was not called.
pub(super) enum Unfit {
    /// The arguments are not what it wants: the client's mistake, mostly.
    Args(DecodeError),
    /// The socket's data is of another type: the namespace has been given another connect handler since.
    Data,
}

type Intercepting = Result<BoxFuture<Result<Option<Args>, BoxError>>, Unfit>;
type Handling = Result<BoxFuture<Result<Args, BoxError>>, Unfit>;

pub(super) type OnConnect = dyn Fn(ConnectRequest) -> BoxFuture<Result<AnyData, Refused>> + Send + Sync;
pub(super) type OnConnecting = dyn Fn(ConnectRequest) -> BoxFuture<Result<(), Refused>> + Send + Sync;
pub(super) type OnIntercept = dyn Fn(&Arc<SocketCore>, &Str, &Args) -> Intercepting + Send + Sync;
pub(super) type OnOutgoing = dyn Fn(&Arc<SocketCore>, &str, &Args) + Send + Sync;
pub(super) type OnConnected = dyn Fn(&Arc<SocketCore>) -> Option<BoxFuture<Result<(), BoxError>>> + Send + Sync;
pub(super) type OnEvent = dyn Fn(&Arc<SocketCore>, &Args) -> Handling + Send + Sync;
pub(super) type OnAny = dyn Fn(&Arc<SocketCore>, &Str, &Args) -> Handling + Send + Sync;
pub(super) type OnDisconnect =
    dyn Fn(&Arc<SocketCore>, DisconnectReason) -> Option<BoxFuture<Result<(), BoxError>>> + Send + Sync;

/// Handlers that can be changed while they are being called.
#[derive(Default)]
pub(super) struct Handlers {
    table: RwLock<Table>,
}

#[derive(Default)]
pub(super) struct Table {
    /// Asked before the connect handler, in their order.
    pub(super) connecting: Vec<Arc<OnConnecting>>,
    pub(super) connect: Option<Arc<OnConnect>>,
    pub(super) connected: Option<Arc<OnConnected>>,
    pub(super) events: HashMap<Box<str>, Arc<OnEvent>>,
    /// Sees every event.
    pub(super) any: Option<Arc<OnAny>>,
    /// Asked about every event, in their order.
    pub(super) interceptors: Vec<Arc<OnIntercept>>,
    /// Sees every event that is sent.
    pub(super) outgoing: Option<Arc<OnOutgoing>>,
    /// Handles every event that nobody else does.
    pub(super) other: Option<Arc<OnAny>>,
    pub(super) disconnect: Option<Arc<OnDisconnect>>,
}

impl Handlers {
    pub(super) fn look<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Handlers often hold the namespace that holds them: the end of the server must end that.
    pub(super) fn clear(&self) {
        // Dropped outside of the lock: they are the application's.
        drop(self.change(core::mem::take));
    }
}
