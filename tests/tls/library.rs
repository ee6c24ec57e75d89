//! The library in one process: several certificates, reload, what handlers see, all four runtimes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sansocket::engineio::Data;
use sansocket::tls::{Acceptor, ClientOptions, Connector, Identity, Roots, ServerOptions};
use sansocket::wire::client::{ConnectError, ErrorKind};
use sansocket::{Error, blocking, runtime, tls};

use crate::certificates::{Authority, Pair};
use crate::client::ENOUGH;
use crate::secure::{run, said};

fn identity(pair: &Pair) -> Identity {
    Identity::from_pem(pair.cert.as_bytes(), pair.key.as_bytes()).expect("a certificate and its key")
}

fn trusting(authority: &Authority) -> ClientOptions {
    ClientOptions::new().roots(Roots::from_pem(authority.pem.as_bytes()).expect("an authority"))
}

/// A server on threads that echoes, for as long as `use_it` runs.
fn serving(tls: Acceptor, use_it: impl FnOnce(SocketAddr, &blocking::engineio::Handle)) {
    let server = blocking::engineio::Server::builder()
        .tls(tls)
        .on_connect(|request| {
            assert!(request.is_secure());
            let tls = request.tls().expect("it came over TLS");
            assert_eq!(tls.protocol.as_deref(), Some("TLSv1.3"));
            assert_eq!(tls.certificates.first(), request.client_certificate());
            Ok(request.client_certificate().map(|der| der.to_vec()))
        })
        .on_message(|sender, message| match message {
            Data::Text(text) if &text[..] == "who am I?" => {
                let known = sender.data().is_some();
                sender.send(if known { "known" } else { "a stranger" })
            }
            message => sender.send(message),
        })
        .bind("127.0.0.1:0")
        .expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    let thread = std::thread::spawn(move || server.serve());
    use_it(address, &handle);
    handle.shutdown(Duration::from_secs(5));
    thread.join().expect("no panic").expect("no error");
}

/// OpenSSL asks for a name and says whose certificate it got.
fn subject(address: SocketAddr, name: Option<&str>) -> String {
    let address = address.to_string();
    let mut arguments = vec!["s_client", "-connect", &address];
    match name {
        Some(name) => arguments.extend(["-servername", name]),
        None => arguments.push("-noservername"),
    }
    let answer = said(&run("openssl", &arguments, ""));
    let line = answer.lines().find(|line| line.starts_with("subject="));
    let line = line.unwrap_or_else(|| panic!("{answer}"));
    line.rsplit(['=', ' ']).next().unwrap_or_default().to_owned()
}

#[test]
fn the_name_chooses_the_certificate_and_a_reload_replaces_it() {
    let authority = Authority::new("authority");
    let first = identity(&authority.issue(&["a.example", "localhost"]));
    let second = identity(&authority.issue(&["b.example", "*.c.example"]));
    let acceptor = Acceptor::new(ServerOptions::new(first).identity(second)).unwrap();
    serving(acceptor.clone(), |address, handle| {
        for (name, expected) in [
            (Some("a.example"), "a.example"),
            (Some("b.example"), "b.example"),
            (Some("x.c.example"), "b.example"),
            (Some("unknown.example"), "a.example"),
            (None, "a.example"),
        ] {
            assert_eq!(subject(address, name), expected, "{name:?}");
        }
        acceptor.reload(identity(&authority.issue(&["d.example"]))).unwrap();
        assert_eq!(subject(address, Some("b.example")), "d.example");
        assert_eq!(handle.stats().failed_handshakes, 0);
        // A client that trusts nobody but others.
        let stranger = Authority::new("stranger");
        let connector = Connector::new(trusting(&stranger)).unwrap();
        let client = blocking::engineio::Client::builder(&format!("https://{address}"));
        match client.tls(connector).connect() {
            Err(Error::Connect(error @ ConnectError::Tls(_))) => assert_eq!(error.kind(), ErrorKind::Tls),
            other => panic!("{other:?}"),
        }
        // The server hears of it a moment later.
        let deadline = Instant::now() + ENOUGH;
        while handle.stats().failed_handshakes == 0 {
            assert!(Instant::now() < deadline, "nothing was counted");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn handlers_see_who_a_client_is() {
    let authority = Authority::new("authority");
    let roots = Roots::from_pem(authority.pem.as_bytes()).unwrap();
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"]))).allow_client_certificates(roots);
    serving(Acceptor::new(options).unwrap(), |address, _| {
        let known = trusting(&authority).identity(identity(&authority.issue(&["me"])));
        for (options, answer) in [(known, "known"), (trusting(&authority), "a stranger")] {
            let url = format!("wss://localhost:{}", address.port());
            let client = blocking::engineio::Client::builder(&url).tls(Connector::new(options).unwrap());
            let mut client = client.connect().unwrap();
            client.send("who am I?").unwrap();
            assert_eq!(client.recv(), Some(answer.into()));
            client.close().unwrap();
        }
    });
}

#[test]
fn somebody_elses_configuration() {
    let authority = Authority::new("authority");
    let pair = authority.issue(&["localhost"]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = rustls::pki_types::pem::PemObject::from_pem_slice(pair.cert.as_bytes()).unwrap();
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(pair.key.as_bytes()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls::pki_types::pem::PemObject::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    serving(Acceptor::from_config(Arc::new(server)).unwrap(), |address, _| {
        let url = format!("https://localhost:{}", address.port());
        let connector = Connector::from_config(Arc::new(client)).unwrap();
        let mut client = blocking::engineio::Client::builder(&url)
            .tls(connector)
            .connect()
            .unwrap();
        client.send("hello").unwrap();
        assert_eq!(client.recv(), Some("hello".into()));
        client.close().unwrap();
    });
}

/// The same on whatever runtime: a client and a server, both there.
async fn converse<R: runtime::Runtime>(runtime: R) {
    let authority = Authority::new("authority");
    let acceptor = Acceptor::new(identity(&authority.issue(&["localhost"]))).unwrap();
    let connector = Connector::new(trusting(&authority)).unwrap();
    let server = runtime::engineio::Server::builder_on(runtime.clone())
        .tls(acceptor)
        .bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let (address, handle) = (server.local_addr(), server.handle());
    runtime.spawn(async move {
        let echo = |mut socket: runtime::engineio::Socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message).await?;
            }
            Ok(())
        };
        server.serve(echo).await.expect("no error");
    });
    for scheme in ["https", "wss"] {
        let url = format!("{scheme}://localhost:{}", address.port());
        let client = runtime::engineio::Client::builder_on(runtime.clone(), &url).tls(connector.clone());
        let mut client = client.connect().await.expect("a session");
        for number in 0..200 {
            client
                .send(format!("{number} {}", "x".repeat(5_000)))
                .await
                .expect("it is open");
        }
        for number in 0..200 {
            let message = client.recv().await.expect("an echo");
            assert_eq!(message, format!("{number} {}", "x".repeat(5_000)).into());
        }
        client.close().await.expect("all of it was sent");
    }
    let url = format!("https://localhost:{}", address.port());
    let stranger = Connector::new(trusting(&Authority::new("stranger"))).unwrap();
    let client = runtime::engineio::Client::builder_on(runtime.clone(), &url).tls(stranger);
    match client.connect().await {
        Err(Error::Connect(ConnectError::Tls(error))) => assert_eq!(error, tls::TlsError::Untrusted),
        other => panic!("{other:?}"),
    }
    handle.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(converse(sansocket::tokio::Tokio));
}

#[test]
fn on_smol() {
    smol::block_on(converse(sansocket::smol::Smol::default()));
}

#[test]
fn on_async_std() {
    async_std::task::block_on(converse(sansocket::async_std::AsyncStd));
}

#[test]
fn on_threads() {
    blocking::block_on(converse(blocking::Threads::new()));
}
