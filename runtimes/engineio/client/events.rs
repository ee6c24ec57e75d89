//! The event style: handlers instead of a loop around `recv`.

use core::fmt;
use std::boxed::Box;

use super::{Client, ClientEvent, ClientSender};
use crate::engineio::{Closed, Data};
use crate::error::Result;
use crate::runtime::app::{BoxFuture, contained};
use crate::runtime::client::Handling;
use crate::runtime::log::{handler_failed, log};

type Connect = Box<dyn Fn(ClientSender) -> BoxFuture<Result<()>> + Send + Sync>;
type Message = Box<dyn Fn(ClientSender, Data) -> BoxFuture<Result<()>> + Send + Sync>;
type Disconnect = Box<dyn Fn(ClientSender, Closed) -> BoxFuture<Result<()>> + Send + Sync>;

/// The handlers of the event style: see [`ClientBuilder::on_message`](super::ClientBuilder::on_message).
#[derive(Default)]
pub struct ClientHandlers {
    pub(super) connect: Option<Connect>,
    pub(super) message: Option<Message>,
    pub(super) disconnect: Option<Disconnect>,
}

/// None yet.
impl From<()> for ClientHandlers {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl fmt::Debug for ClientHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientHandlers")
    }
}

impl ClientHandlers {
    /// Calls the handlers, one at a time, until the last session is over.
    pub(super) async fn run<R>(self, mut client: Client<R>, handling: Handling) {
        let sender = client.sender();
        let _handling = handling;
        while let Some(event) = client.event().await {
            let this = sender.clone();
            // Asked inside of it, so that a panic in a handler is contained wherever it happens.
            let handled = contained(async {
                match event {
                    ClientEvent::Opened { .. } => match &self.connect {
                        Some(connect) => connect(this).await,
                        None => Ok(()),
                    },
                    ClientEvent::Message(data) => match &self.message {
                        Some(message) => message(this, data).await,
                        None => Ok(()),
                    },
                    ClientEvent::Closed { closed, .. } => match &self.disconnect {
                        Some(disconnect) => disconnect(this, closed).await,
                        None => Ok(()),
                    },
                    ClientEvent::TooLarge(data) => {
                        log!(
                            warn,
                            "engineio::client",
                            "a message of {} bytes is larger than the server takes",
                            data.len()
                        );
                        this.shared.lock().give_back(data);
                        Ok(())
                    }
                    _ => Ok(()),
                }
            });
            match handled.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => handler_failed("a handler", &error),
                Err(_panicked) => sender.begin_close(),
            }
        }
    }
}
