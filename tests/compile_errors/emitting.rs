//! What is emitted has no JSON form.

use sansocket::tokio::socketio::Socket;

struct Point;

async fn show(socket: Socket) -> sansocket::Result<()> {
    socket.emit("where", &Point).await?; //~ `Point` can not be sent as the arguments of an event
    socket.emit("where", &("a", Point)).await?; //~ `(&str, Point)` to implement `IntoArgs`
    let _point: Point = socket.call("where", &()).await?; //~ `Point` to implement `serde_core::de::DeserializeOwned`
    Ok(())
}

fn main() {
    let _show = show;
}
