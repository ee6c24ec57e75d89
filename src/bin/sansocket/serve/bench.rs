//! `--app bench`: Engine.IO and Socket.IO beside each other, and nothing else on the path.

use std::sync::Arc;

use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;
use sansocket::runtime::socketio::{Ack, Args, Server, Socket};

use super::{Arguments, Running};

const SOCKETIO: &str = "/socket.io/";

pub async fn start<R: Runtime>(
    options: Builder<R>,
    arguments: &Arguments,
    address: &str,
) -> sansocket::Result<Running> {
    if !arguments.paths.is_empty() {
        return Err(sansocket::Error::Unusable {
            what: "path",
            why: "the app bench has two of its own",
        });
    }
    // It is never bound itself: sessions are given to it.
    let io = Server::<R>::builder_on(options.runtime().clone())
        .connect_timeout(arguments.connect_timeout)
        .build()
        .handle();
    io.of("/")
        .on("echo", |_, args: Args| async move { Ack(args) })
        .on("broadcast", |socket: Socket, args: Args| async move {
            socket.namespace().emit("msg", &args).await
        });
    let options = options.also_path(SOCKETIO).on_connect(|request| async move {
        let is_socketio = request.path().starts_with(SOCKETIO);
        Ok(is_socketio.then(|| Arc::new(request)))
    });
    let server = options.bind(address).await?;
    let handle = server.handle();
    io.set_engine(handle.clone());
    Ok(Running {
        address: server.local_addr(),
        handle,
        io: Some(io.clone()),
        serving: Box::pin(server.serve(move |mut socket| {
            let io = io.clone();
            async move {
                if let Some(request) = socket.data().clone() {
                    io.attend(socket, Some(request)).await;
                    return Ok(());
                }
                while let Some(message) = socket.recv().await {
                    // To the end also where the client wants no answers any more: what it sent is counted.
                    let _gone = socket.send(message).await;
                }
                Ok(())
            }
        })),
    })
}
