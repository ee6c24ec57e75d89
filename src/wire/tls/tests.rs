use std::format;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use rustls::version::{TLS12, TLS13};

use super::*;
use certificates::{Authority, Pair, Time, self_signed};

pub(crate) mod certificates;

pub(crate) fn identity(pair: &Pair) -> Identity {
    Identity::from_pem(pair.cert.as_bytes(), pair.key.as_bytes()).expect("a certificate and its key")
}

pub(crate) fn roots(authority: &Authority) -> Roots {
    Roots::from_pem(authority.pem.as_bytes()).expect("an authority's certificate")
}

pub(crate) fn trusting(authority: &Authority) -> ClientOptions {
    ClientOptions::new().roots(roots(authority))
}

/// Both ends of a connection.
struct Ends {
    client: TlsConnection,
    server: TlsConnection,
    /// What each has understood.
    at_client: Vec<u8>,
    at_server: Vec<u8>,
    /// How each has failed.
    client_error: Option<TlsError>,
    server_error: Option<TlsError>,
}

impl Ends {
    fn new(connector: &Connector, acceptor: &Acceptor, host: &str) -> Self {
        Self {
            client: connector.connect(host).expect("a host that can have a certificate"),
            server: acceptor.accept(),
            at_client: Vec::new(),
            at_server: Vec::new(),
            client_error: None,
            server_error: None,
        }
    }

    /// Carries what there is to carry, in pieces of this size, until nothing is left.
    fn carry(&mut self, piece: usize) {
        loop {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            self.client.poll_transmit(&mut up);
            self.server.poll_transmit(&mut down);
            if up.is_empty() && down.is_empty() {
                return;
            }
            for piece in up.chunks(piece) {
                if let Err(error) = self.server.handle_input(piece, &mut self.at_server) {
                    assert!(self.server_error.replace(error).is_none(), "an error is told once");
                }
            }
            for piece in down.chunks(piece) {
                if let Err(error) = self.client.handle_input(piece, &mut self.at_client) {
                    assert!(self.client_error.replace(error).is_none(), "an error is told once");
                }
            }
        }
    }

    fn shake_hands(&mut self) {
        self.carry(usize::MAX);
        assert_eq!((&self.client_error, &self.server_error), (&None, &None));
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
    }

    fn errors(mut self) -> (Option<TlsError>, Option<TlsError>) {
        self.carry(usize::MAX);
        (self.client_error, self.server_error)
    }
}

fn good() -> (Authority, Connector, Acceptor) {
    let authority = Authority::new("authority");
    let acceptor = Acceptor::new(identity(&authority.issue(&["localhost", "127.0.0.1", "::1"]))).unwrap();
    let connector = Connector::new(trusting(&authority)).unwrap();
    (authority, connector, acceptor)
}

#[test]
fn both_ends_talk_whatever_the_pieces() {
    let (_, connector, acceptor) = good();
    for host in ["localhost", "127.0.0.1", "::1"] {
        for piece in [1, 7, 1000, usize::MAX] {
            let mut ends = Ends::new(&connector, &acceptor, host);
            ends.carry(piece);
            assert!(!ends.client.is_handshaking() && !ends.server.is_handshaking());
            let text: Vec<u8> = (0..40_000_u32).map(|n| n as u8).collect();
            let (mut up, mut down) = (Vec::new(), Vec::new());
            ends.client.send(&text, &mut up);
            ends.server.send(&text[..100], &mut down);
            for piece in up.chunks(piece) {
                ends.server.handle_input(piece, &mut ends.at_server).unwrap();
            }
            for piece in down.chunks(piece) {
                ends.client.handle_input(piece, &mut ends.at_client).unwrap();
            }
            assert!(ends.at_server == text && ends.at_client == text[..100]);
        }
    }
}

#[test]
fn output_is_sealed_in_place() {
    let (_, connector, acceptor) = good();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    let mut out = b"before".to_vec();
    out.extend_from_slice(b"secret");
    ends.client.seal(6, &mut out);
    assert!(out.starts_with(b"before") && !out.windows(6).any(|window| window == b"secret"));
    ends.server.handle_input(&out[6..], &mut ends.at_server).unwrap();
    assert_eq!(ends.at_server, b"secret");
    let length = out.len();
    ends.client.seal(length, &mut out);
    assert_eq!(out.len(), length, "nothing is no record");
}

#[test]
fn the_end_is_said() {
    let (_, connector, acceptor) = good();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    let mut out = Vec::new();
    ends.client.send(b"last", &mut out);
    ends.client.close();
    ends.client.close();
    ends.client.send(b"too late", &mut out);
    ends.server.handle_input(&out, &mut ends.at_server).unwrap();
    assert!(ends.server.has_ended() && ends.client.is_closed());
    assert_eq!(ends.at_server, b"last");
    assert_eq!(ends.server.handle_end(), Ok(()));
    // The other direction goes on until it ends too.
    let mut out = Vec::new();
    ends.server.send(b"answer", &mut out);
    ends.server.close();
    ends.server.poll_transmit(&mut out);
    ends.client.handle_input(&out, &mut ends.at_client).unwrap();
    assert_eq!((&ends.at_client[..], ends.client.has_ended()), (&b"answer"[..], true));
}

#[test]
fn an_end_that_is_not_said_is_noticed() {
    let (_, connector, acceptor) = good();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    assert_eq!(ends.server.handle_end(), Err(TlsError::EndedEarly));
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    assert_eq!(ends.server.handle_end(), Err(TlsError::Truncated));
    assert_eq!(ends.server.handle_end(), Ok(()), "it is told once");
    assert_eq!(ends.client.handle_end(), Err(TlsError::Truncated));
}

#[test]
fn records_that_were_changed_are_refused() {
    let (_, connector, acceptor) = good();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    let mut out = Vec::new();
    ends.client.send(b"first", &mut out);
    let second = out.len();
    ends.client.send(b"second", &mut out);
    let last = out.len() - 1;
    out[last] ^= 1;
    let error = ends.server.handle_input(&out, &mut ends.at_server).unwrap_err();
    assert!(error.to_string().contains("changed on the way"), "{error}");
    assert_eq!(ends.at_server, b"first", "what came before is whole");
    assert!(ends.server.has_failed());
    assert_eq!(ends.server.handle_input(&out[..second], &mut ends.at_server), Ok(()));
    assert_eq!(ends.at_server, b"first", "and nothing is taken after it");
    let mut alert = Vec::new();
    ends.server.poll_transmit(&mut alert);
    let error = ends.client.handle_input(&alert, &mut ends.at_client).unwrap_err();
    assert_eq!(error, TlsError::Alert("alert BadRecordMac".to_string()));
}

#[test]
fn what_is_too_large_is_refused() {
    let (_, connector, acceptor) = good();
    // A record of the handshake that says it has 65,535 bytes.
    let mut server = acceptor.accept();
    let error = server
        .handle_input(&[22, 3, 1, 0xff, 0xff], &mut Vec::new())
        .unwrap_err();
    assert!(matches!(error, TlsError::Protocol(_)), "{error}");
    // A message of the handshake that says it has 16 MB: 64 KiB are held at most.
    let mut server = acceptor.accept();
    let mut record = vec![22, 3, 1, 0x40, 0x00, 1, 0xff, 0xff, 0xff];
    record.resize(5 + 0x4000, 0);
    let mut taken = 0;
    let refused = (0..10).find_map(|_| {
        taken += record.len();
        let read = server.handle_input(&record, &mut Vec::new()).err();
        record.truncate(5);
        record.resize(5 + 0x4000, 0);
        read
    });
    assert!(refused.is_some() && taken < 100_000, "{taken}");
    // The same after the handshake.
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    let error = ends
        .server
        .handle_input(&[23, 3, 3, 0x48, 0x01], &mut ends.at_server)
        .unwrap_err();
    assert!(matches!(error, TlsError::Protocol(_)), "{error}");
}

/// Nothing that a peer sends is a panic, whatever was changed in it and wherever it stops.
#[test]
fn handshakes_that_were_changed_come_to_an_error_or_to_nothing() {
    let (_, connector, acceptor) = good();
    let mut random = 7_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for _ in 0..2_000 {
        let mut ends = Ends::new(&connector, &acceptor, "localhost");
        let (mut hello, mut flight) = (Vec::new(), Vec::new());
        ends.client.poll_transmit(&mut hello);
        if next(2) == 0 {
            let at = next(hello.len());
            hello[at] = next(256) as u8;
        } else {
            hello.truncate(next(hello.len()));
        }
        let _error = ends.server.handle_input(&hello, &mut ends.at_server);
        ends.server.poll_transmit(&mut flight);
        for _ in 0..next(4) {
            let at = next(flight.len().max(1));
            if let Some(byte) = flight.get_mut(at) {
                *byte = next(256) as u8;
            }
        }
        let _error = ends.client.handle_input(&flight, &mut ends.at_client);
        let mut rest = Vec::new();
        ends.client.poll_transmit(&mut rest);
        let _error = ends.server.handle_input(&rest, &mut ends.at_server);
        assert!(ends.at_client.is_empty() && ends.at_server.is_empty());
    }
}

#[test]
fn what_is_no_tls_is_named() {
    let (_, connector, acceptor) = good();
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"220 smtp.example ESMTP\r\n",
        &[0; 64],
    ] {
        let mut client = connector.connect("localhost").unwrap();
        assert_eq!(client.handle_input(bytes, &mut Vec::new()), Err(TlsError::NotTls));
        let mut server = acceptor.accept();
        assert_eq!(server.handle_input(bytes, &mut Vec::new()), Err(TlsError::NotTls));
    }
    // A server that sends back what it gets.
    let mut client = connector.connect("localhost").unwrap();
    let mut hello = Vec::new();
    client.poll_transmit(&mut hello);
    let error = client.handle_input(&hello, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, TlsError::Protocol(_)), "{error}");
}

#[test]
fn each_mistake_of_a_certificate_has_its_line() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let own = Pair {
        cert: authority.pem.clone(),
        key: authority.key.clone(),
    };
    let connector = Connector::new(trusting(&authority)).unwrap();
    for (pair, line, told) in [
        (
            authority.issue_at(&["localhost"], Time::Past),
            "its certificate has expired",
            "it does not accept our certificate: it has expired, or is not valid yet",
        ),
        (
            authority.issue_at(&["localhost"], Time::Future),
            "its certificate is not valid yet",
            "it does not accept our certificate: it has expired, or is not valid yet",
        ),
        (
            authority.issue(&["a.example", "127.0.0.9"]),
            "its certificate is not for localhost, but for a.example, 127.0.0.9",
            "it does not accept our certificate: it is not valid there",
        ),
        (
            self_signed(&["localhost"]),
            "its certificate is self-signed, and not trusted",
            "it does not accept our certificate: it is not trusted there",
        ),
        (
            other.issue(&["localhost"]),
            "its certificate is not trusted: its issuer is unknown",
            "it does not accept our certificate: its issuer is unknown there",
        ),
        (
            own,
            "its certificate can not be used: it is that of a certificate authority, not of a server",
            "it does not accept our certificate: it is not trusted there",
        ),
    ] {
        let acceptor = Acceptor::new(identity(&pair)).unwrap();
        let (client, server) = Ends::new(&connector, &acceptor, "localhost").errors();
        assert_eq!(client.map(|error| error.to_string()).as_deref(), Some(line));
        assert_eq!(server.map(|error| error.to_string()).as_deref(), Some(told), "{line}");
        // Nobody looks, and all of them will do.
        let careless = Connector::new(trusting(&authority).danger_accept_invalid_certificates()).unwrap();
        assert_eq!(
            Ends::new(&careless, &acceptor, "localhost").errors(),
            (None, None),
            "{line}"
        );
    }
}

fn only(version: &'static rustls::SupportedProtocolVersion, authority: &Authority) -> Connector {
    let builder = rustls::ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
    let builder = builder.unwrap().with_root_certificates(roots(authority).0);
    Connector::from_config(Arc::new(builder.with_no_client_auth())).unwrap()
}

#[test]
fn clients_say_who_they_are() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let server = || ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let must = Acceptor::new(server().require_client_certificates(roots(&authority))).unwrap();
    let may = Acceptor::new(server().allow_client_certificates(roots(&authority))).unwrap();
    let with = |pair: &Pair| Connector::new(trusting(&authority).identity(identity(pair))).unwrap();

    let known = with(&authority.issue(&["me"]));
    for acceptor in [&must, &may] {
        let mut ends = Ends::new(&known, acceptor, "localhost");
        ends.shake_hands();
        assert!(
            ends.server
                .peer_certificate()
                .is_some_and(|der| der.windows(2).any(|two| two == b"me"))
        );
        let (client, server) = Ends::new(&with(&other.issue(&["me"])), acceptor, "localhost").errors();
        assert_eq!(server, Some(TlsError::Untrusted));
        assert_eq!(client, Some(TlsError::Refused("its issuer is unknown there")));
        let expired = with(&authority.issue_at(&["me"], Time::Past));
        let (client, server) = Ends::new(&expired, acceptor, "localhost").errors();
        assert_eq!(server, Some(TlsError::Expired));
        assert_eq!(client, Some(TlsError::Refused("it has expired, or is not valid yet")));
    }

    let unknown = Connector::new(trusting(&authority)).unwrap();
    let mut ends = Ends::new(&unknown, &may, "localhost");
    ends.shake_hands();
    assert_eq!(ends.server.peer_certificate(), None);
    for connector in [unknown, only(&TLS12, &authority), only(&TLS13, &authority)] {
        let (client, server) = Ends::new(&connector, &must, "localhost").errors();
        assert_eq!(server, Some(TlsError::NoCertificate));
        assert_eq!(client, Some(TlsError::CertificateRequired));
    }
}

/// Under TLS 1.3 the client has finished its handshake when the server says no; and the server's word may be lost where it
/// resets the connection.
#[test]
fn a_missing_certificate_is_the_likely_reason_for_a_cut() {
    let authority = Authority::new("authority");
    let options = ServerOptions::new(identity(&authority.issue(&["localhost"])));
    let acceptor = Acceptor::new(options.require_client_certificates(roots(&authority))).unwrap();
    let mut ends = Ends::new(&only(&TLS13, &authority), &acceptor, "localhost");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    ends.client.poll_transmit(&mut up);
    ends.server.handle_input(&up, &mut ends.at_server).unwrap();
    assert!(!ends.client.lacks_certificate());
    ends.server.poll_transmit(&mut down);
    ends.client.handle_input(&down, &mut ends.at_client).unwrap();
    assert!(!ends.client.is_handshaking());
    assert!(ends.client.lacks_certificate());
    assert_eq!(ends.client.handle_end(), Err(TlsError::CertificateRequired));
}

/// Whose certificate the client gets.
fn shown(connector: &Connector, acceptor: &Acceptor, host: &str) -> Vec<u8> {
    let mut ends = Ends::new(connector, acceptor, host);
    ends.carry(usize::MAX);
    assert_eq!(ends.client_error, None, "{host}");
    ends.client.peer_certificate().expect("a certificate").to_vec()
}

#[test]
fn the_name_chooses_the_certificate() {
    let authority = Authority::new("authority");
    let connector = Connector::new(trusting(&authority).danger_accept_invalid_certificates()).unwrap();
    let [first, second, third] = [&["a.example"][..], &["b.example", "c.example"], &["*.d.example"]]
        .map(|names| identity(&authority.issue(names)));
    let der = |identity: &Identity| identity.0.cert[0].to_vec();
    let options = ServerOptions::new(first.clone())
        .identity(second.clone())
        .identity(third.clone());
    let acceptor = Acceptor::new(options).unwrap();
    for (host, expected) in [
        ("a.example", &first),
        ("b.example", &second),
        ("C.Example", &second),
        ("x.d.example", &third),
        ("d.example", &first),
        ("else.example", &first),
        ("127.0.0.1", &first),
    ] {
        assert!(shown(&connector, &acceptor, host) == der(expected), "{host}");
    }
    // A reload counts for the next handshake, and for a session that could be resumed.
    let renewed = identity(&authority.issue(&["a.example"]));
    acceptor.clone().reload(renewed.clone()).unwrap();
    assert!(shown(&connector, &acceptor, "b.example") == der(&renewed));
}

#[test]
fn nothing_but_http_1_1_is_spoken() {
    let (authority, connector, acceptor) = good();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    assert_eq!(ends.client.rustls().alpn_protocol(), Some(ALPN));
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&authority).0)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let h2 = rustls::ClientConnection::new(Arc::new(config.clone()), "localhost".try_into().unwrap()).unwrap();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.client = TlsConnection::new(h2.into());
    assert_eq!(ends.errors(), (Some(TlsError::NoHttp11), Some(TlsError::NoHttp11)));
    // Whatever a configuration says.
    let connector = Connector::from_config(Arc::new(config)).unwrap();
    let mut ends = Ends::new(&connector, &acceptor, "localhost");
    ends.shake_hands();
    assert_eq!(ends.server.rustls().alpn_protocol(), Some(ALPN));
}

#[test]
fn versions_that_do_not_meet() {
    let authority = Authority::new("authority");
    let pair = identity(&authority.issue(&["localhost"]));
    let acceptor = |version| {
        let builder = rustls::ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
        let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(pair.0.clone()));
        let config = builder.unwrap().with_no_client_auth().with_cert_resolver(resolver);
        Acceptor::from_config(Arc::new(config)).unwrap()
    };
    for (ours, theirs) in [(&TLS12, &TLS13), (&TLS13, &TLS12)] {
        let errors = Ends::new(&only(ours, &authority), &acceptor(theirs), "localhost").errors();
        assert_eq!(errors, (Some(TlsError::Version), Some(TlsError::Version)));
    }
    for version in [&TLS12, &TLS13] {
        Ends::new(&only(version, &authority), &acceptor(version), "localhost").shake_hands();
    }
}

/// An error is a line, whatever a certificate is for.
#[test]
fn not_all_names_of_thousands_are_shown() {
    let wrong = |count: usize| TlsError::WrongName {
        wanted: "a.example".into(),
        presented: (0..count).map(|number| std::format!("{number}.example")).collect(),
    };
    let shown = wrong(2).to_string();
    assert_eq!(
        shown,
        "its certificate is not for a.example, but for 0.example, 1.example"
    );
    let shown = wrong(5000).to_string();
    assert!(shown.ends_with(", 7.example and 4992 more"), "{shown}");
}

#[test]
fn texts_that_hold_no_certificate() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let (pair, stranger) = (authority.issue(&["a"]), other.issue(&["a"]));
    let refusal = |cert: &str, key: &str| {
        Identity::from_pem(cert.as_bytes(), key.as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal("", &pair.key),
        "unusable certificate: there is none in it: it should be PEM"
    );
    assert_eq!(
        refusal(&pair.key, &pair.key),
        "unusable certificate: there is none in it: it should be PEM"
    );
    assert_eq!(
        refusal(&pair.cert, "x"),
        "unusable key: there is none in it: it should be PEM"
    );
    assert_eq!(
        refusal(&pair.cert, &stranger.key),
        "unusable key: it is not the certificate's"
    );
    let encrypted = pair.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(
        refusal(&pair.cert, &encrypted),
        "unusable key: it is encrypted: it should be PEM without a password"
    );
    let damaged = pair.cert.replacen("MII", "!!!", 1);
    assert_eq!(
        refusal(&damaged, &pair.key),
        "unusable certificate: it is damaged: it should be PEM"
    );
    let both = format!("{}{}", pair.key, pair.cert);
    Identity::from_pem(both.as_bytes(), both.as_bytes()).unwrap();
    for (text, why) in [
        ("", "unusable roots: there is no certificate in it: it should be PEM"),
        (
            &pair.key,
            "unusable roots: there is no certificate in it: it should be PEM",
        ),
        (&damaged, "unusable roots: a certificate is damaged: it should be PEM"),
    ] {
        assert_eq!(Roots::from_pem(text.as_bytes()).unwrap_err().to_string(), why);
    }
    let missing = Identity::from_pem_files("/nowhere/cert.pem", "/nowhere/key.pem").unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/cert.pem: "), "{missing}");
    assert!(matches!(
        Connector::new(trusting(&authority)).unwrap().connect("a b"),
        Err(TlsError::NoName)
    ));
}
