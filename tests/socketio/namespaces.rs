//! Namespaces that come and go.

use sansocket::runtime::socketio::{Ack, Socket};

use crate::client::Client;
use crate::server::{Server, options};
use crate::waiting::wait_until;

#[test]
fn namespaces_of_a_function_are_there_while_somebody_is_in_them() {
    let server = Server::host(options(), |io| {
        let tenants = io
            .of_matching(|name| name.starts_with("/tenant/"))
            .on_connect(|request| async move { Ok(request.namespace().len()) });
        tenants.on("where", |socket: Socket<usize>, ()| async move {
            Ack((
                socket.namespace().name().to_owned(),
                *socket.data(),
                socket.namespace().len(),
            ))
        });
    });
    let io = server.handle();
    assert!(io.namespaces().is_empty());
    let mut a = Client::open(&server);
    let mut b = Client::open(&server);
    for client in [&mut a, &mut b] {
        client.enter("/tenant/1", "");
    }
    a.enter("/tenant/22", "");
    a.send("0/,");
    a.expect(r#"4{"message":"Invalid namespace"}"#);
    a.send(r#"2/tenant/22,1["where"]"#);
    a.expect(r#"3/tenant/22,1["/tenant/22",10,1]"#);
    a.send(r#"2/tenant/1,1["where"]"#);
    a.expect(r#"3/tenant/1,1["/tenant/1",9,2]"#);
    assert_eq!(io.namespaces(), ["/tenant/1", "/tenant/22"]);
    a.send("1/tenant/1,");
    a.send("1/tenant/22,");
    wait_until("the empty one is forgotten", || io.namespaces() == ["/tenant/1"]);
    // Who is asked for by name stays.
    assert_eq!(io.of("tenant/1").len(), 1);
    b.send("1/tenant/1,");
    wait_until("it is empty", || io.of("/tenant/1").is_empty());
    assert_eq!(io.namespaces(), ["/tenant/1"]);
    b.enter("/tenant/1", "");
    server.finish();
}
