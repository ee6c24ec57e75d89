//! `--app echo`.

use sansocket::runtime::Runtime;
use sansocket::runtime::engineio::Builder;

use super::Running;

pub async fn start<R: Runtime>(options: Builder<R>, address: &str) -> sansocket::Result<Running> {
    let server = options.bind(address).await?;
    Ok(Running {
        address: server.local_addr(),
        handle: server.handle(),
        io: None,
        serving: Box::pin(server.serve(|mut socket| async move {
            while let Some(message) = socket.recv().await {
                // To the end also where the client wants no answers any more: what it sent is counted.
                let _gone = socket.send(message).await;
            }
            Ok(())
        })),
    })
}
