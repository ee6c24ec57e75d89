//! A handler may go on on another thread.

use std::rc::Rc;

use sansocket::tokio::socketio::Server;

fn main() {
    let io = Server::new();
    let chat = io.of("/");
    chat.on("say", |socket, text: String| async move { //~ future cannot be sent between threads safely
        let text = Rc::new(text);
        socket.emit("said", &text[..]).await?;
        println!("{text}");
        Ok::<_, sansocket::Error>(())
    });
}
