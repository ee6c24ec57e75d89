//! Every error there is, with its answers.

use std::boxed::Box;
use std::format;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::engineio::{CloseReason, Closed, SendError as QueueError};
use crate::runtime::socketio::client::{CallError, ConnectFailed, EmitFailed, NamespaceError, ReceiveError, Refused};
use crate::socketio::{AckError, EmitError};
use crate::wire::client::ConnectError;
use crate::wire::http1::ResponseError;
use crate::wire::tls::TlsError;
use crate::wire::ws::{FrameError, UpgradeError};

/// Makes the table, and a `match` over its patterns: an error that is in no row does not compile.
macro_rules! table {
    ($($pattern:pat => $error:expr, $category:ident, $blame:ident, $retry:literal;)+) => {
        fn table() -> Vec<(Error, Class)> {
            std::vec![$((
                $error,
                Class { category: Category::$category, blame: Blame::$blame, may_retry: $retry },
            ),)+]
        }

        /// The pattern of the row that an error belongs to.
        #[allow(unreachable_patterns, reason = "some rows are of one variant")]
        fn row(error: &Error) -> &'static str {
            match error {
                $($pattern => stringify!($pattern),)+
            }
        }
    };
}

fn not_json() -> serde_json::Error {
    serde_json::from_str::<u8>("x").unwrap_err()
}

fn refused_with(status: u16) -> ConnectError {
    ConnectError::Refused(crate::wire::client::Refused::of(
        status,
        Bytes::from_static(br#"{"why":[1]}"#),
    ))
}

table! {
    Error::Peer(Violation::Packet(PacketError::UnknownType)) => PacketError::UnknownType.into(), UnknownPacket, Peer, false;
    Error::Peer(Violation::Packet(PacketError::Empty)) => PacketError::Empty.into(), Protocol, Peer, false;
    Error::Peer(Violation::Packet(PacketError::InvalidBase64)) => PacketError::InvalidBase64.into(), Protocol, Peer, false;
    Error::Peer(Violation::Packet(PacketError::InvalidHandshake)) => PacketError::InvalidHandshake.into(), Protocol, Peer, false;
    Error::Peer(Violation::Packet(PacketError::InvalidLength)) => PacketError::InvalidLength.into(), Protocol, Peer, false;
    Error::Peer(Violation::Packet(PacketError::NotUtf8)) => PacketError::NotUtf8.into(), Protocol, Peer, false;
    Error::Peer(Violation::UnexpectedPacket) => Violation::UnexpectedPacket.into(), UnknownPacket, Peer, false;
    Error::Peer(Violation::Overlap) => Violation::Overlap.into(), Protocol, Peer, false;
    Error::Peer(Violation::UnexpectedRequest) => Violation::UnexpectedRequest.into(), Protocol, Peer, false;
    Error::Peer(Violation::UnexpectedWebSocket) => Violation::UnexpectedWebSocket.into(), Protocol, Peer, false;
    Error::Peer(Violation::BadProbe) => Violation::BadProbe.into(), Protocol, Peer, false;

    Error::Send(SendError::Closed(_)) => SendError::Closed("a".into()).into(), Closed, Nobody, false;
    Error::Send(SendError::TooLarge(_)) => SendError::TooLarge("a".into()).into(), ContentTooLong, Caller, false;
    Error::Queue(QueueError::Full(_)) => QueueError::Full("a".into()).into(), QueueFull, Nobody, true;
    Error::Queue(QueueError::Closed(_)) => QueueError::Closed("a".into()).into(), Closed, Nobody, false;
    Error::Queue(QueueError::TooLarge(_)) => QueueError::TooLarge("a".into()).into(), ContentTooLong, Caller, false;
    Error::Receive(TryRecvError::Empty) => TryRecvError::Empty.into(), QueueEmpty, Nobody, true;
    Error::Receive(TryRecvError::Closed) => TryRecvError::Closed.into(), Closed, Nobody, false;

    Error::Connect(ConnectError::Io { .. }) =>
        ConnectError::io("connecting", io::ErrorKind::ConnectionRefused.into()).into(), ConnectionFailed, Transport, true;
    Error::Connect(ConnectError::Io { .. }) =>
        ConnectError::io("connecting", io::ErrorKind::TimedOut.into()).into(), TimedOut, Transport, true;
    Error::Connect(ConnectError::Refused(_)) => refused_with(401).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::Refused(_)) => refused_with(503).into(), ConnectionFailed, Peer, true;
    Error::Connect(ConnectError::Http(ResponseError::NothingCame)) =>
        ConnectError::from(ResponseError::NothingCame).into(), ConnectionFailed, Transport, true;
    Error::Connect(ConnectError::Http(ResponseError::EndedEarly)) =>
        ConnectError::from(ResponseError::EndedEarly).into(), ConnectionFailed, Transport, true;
    Error::Connect(ConnectError::Http(_)) =>
        ConnectError::from(ResponseError::Malformed).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::Upgrade(_)) =>
        ConnectError::from(UpgradeError::Upgrade).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::WebSocket(_)) =>
        ConnectError::from(FrameError(1009)).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::WebSocketClosed(_)) =>
        ConnectError::WebSocketClosed(None).into(), ConnectionFailed, Transport, true;
    Error::Connect(ConnectError::Protocol(_)) =>
        ConnectError::from(Violation::Overlap).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::SocketIo(_)) =>
        ConnectError::from(crate::socketio::client::Violation::TooEarly).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::Timeout(_)) => ConnectError::Timeout("late").into(), TimedOut, Transport, true;
    Error::Connect(ConnectError::Tls(TlsError::Truncated)) =>
        ConnectError::Tls(TlsError::Truncated).into(), ConnectionFailed, Transport, true;
    Error::Connect(ConnectError::Tls(_)) => ConnectError::Tls(TlsError::Expired).into(), ConnectionFailed, Peer, false;
    Error::Connect(ConnectError::Proxy(_)) =>
        ConnectError::Proxy(Box::new(refused_with(407))).into(), ConnectionFailed, Transport, false;
    Error::Connect(ConnectError::Proxy(_)) =>
        ConnectError::Proxy(Box::new(ConnectError::Timeout("late"))).into(), TimedOut, Transport, true;

    Error::Namespace(ConnectFailed::Refused(_)) => ConnectFailed::from(Refused {
        namespace: "/".into(),
        message: "no".into(),
        data: None,
    }).into(), ConnectionFailed, Peer, false;
    Error::Namespace(ConnectFailed::Connection(_)) =>
        ConnectFailed::from(Arc::new(refused_with(429))).into(), ConnectionFailed, Peer, true;
    Error::Namespace(ConnectFailed::TimedOut(..)) =>
        ConnectFailed::TimedOut("/".into(), Duration::ZERO).into(), TimedOut, Peer, true;
    Error::Namespace(ConnectFailed::BadNamespace(_)) =>
        ConnectFailed::from(NamespaceError::Taken).into(), InvalidArgument, Caller, false;
    Error::Namespace(ConnectFailed::Unusable { .. }) =>
        ConnectFailed::Unusable { what: "url", why: String::new() }.into(), InvalidArgument, Caller, false;
    Error::Namespace(ConnectFailed::Closed) => ConnectFailed::Closed.into(), Closed, Nobody, false;
    Error::Wait(ReceiveError::TimedOut) => ReceiveError::TimedOut.into(), TimedOut, Nobody, true;
    Error::Wait(ReceiveError::Disconnected) => ReceiveError::Disconnected.into(), Closed, Nobody, false;

    Error::Unsent(_) => Error::Unsent(Closed {
        reason: CloseReason::TransportError,
        unsent: 1,
        in_doubt: 0,
    }), Closed, Nobody, false;
    Error::Emit(EmitError::Disconnected(_)) =>
        EmitError::Disconnected(Args::default()).into(), Closed, Nobody, false;
    Error::Emit(EmitError::Full(_)) => EmitError::Full(Args::default()).into(), QueueFull, Nobody, true;
    Error::Emit(EmitError::ReservedName(_)) =>
        EmitError::ReservedName(Args::default()).into(), InvalidArgument, Caller, false;
    Error::Emit(EmitError::TooLarge(_)) => EmitError::TooLarge(Args::default()).into(), ContentTooLong, Caller, false;
    Error::Emit(EmitError::TooManyAcks(_)) => EmitError::TooManyAcks(Args::default()).into(), QueueFull, Caller, true;
    Error::Ack(AckError::TimedOut) => AckError::TimedOut.into(), TimedOut, Peer, true;
    Error::Ack(AckError::Disconnected) => AckError::Disconnected.into(), Closed, Nobody, false;
    Error::Ack(AckError::NotSent) => AckError::NotSent.into(), Closed, Nobody, true;
    Error::Encode(_) => crate::EncodeError::from(not_json()).into(), InvalidArgument, Caller, false;
    Error::Decode(_) => crate::DecodeError::from(not_json()).into(), UnexpectedData, Peer, false;
    Error::Unusable { .. } => Error::Unusable { what: "path", why: "empty" }, InvalidArgument, Caller, false;
    Error::Io(_) => io::Error::from(io::ErrorKind::AddrInUse).into(), System, System, true;
    Error::Io(_) => io::Error::from(io::ErrorKind::PermissionDenied).into(), System, System, false;
    Error::Io(_) => io::Error::from(io::ErrorKind::TimedOut).into(), TimedOut, System, true;
    Error::Application(_) => Error::application("mine"), Application, Application, false;
}

#[test]
fn every_error_has_its_answers() {
    for (error, expected) in table() {
        let row = row(&error);
        assert_eq!(error.class(), expected, "{row}");
        let asked = (error.category(), error.blame(), error.may_retry());
        assert_eq!(asked, (expected.category, expected.blame, expected.may_retry), "{row}");
        assert!(!format!("{error}{}{}", error.category(), error.blame()).is_empty());
    }
}

#[test]
fn what_was_refused_comes_back() {
    for (error, _) in table() {
        let row = row(&error);
        let gives_data = row.contains("Send(") || row.contains("Queue(");
        let gives_args = row.contains("Emit(");
        assert_eq!(error.data().is_some(), gives_data, "{row}");
        match gives_args {
            true => assert_eq!(error.into_args(), Some(Args::default()), "{row}"),
            false => assert_eq!(error.into_data(), gives_data.then(|| "a".into()), "{row}"),
        }
    }
}

#[test]
fn a_refused_connection_shows_status_and_json() {
    let error = Error::from(refused_with(401));
    assert_eq!(error.status(), Some(401));
    let refused = error.refused().expect("it was refused");
    assert_eq!(refused.body(), &br#"{"why":[1]}"#[..]);
    let body: serde_json::Value = refused.json().expect("it is JSON");
    assert_eq!(body["why"][0], 1);
    assert!(refused.json::<u8>().is_err());

    let behind = ConnectFailed::from(Arc::new(ConnectError::Proxy(Box::new(refused_with(407)))));
    assert_eq!(Error::from(behind).status(), Some(407));
    assert_eq!(Error::from(TryRecvError::Empty).status(), None);
}

#[test]
fn what_a_call_came_to_keeps_its_kind() {
    let calls = [
        (
            CallError::from(EmitFailed::from(EmitError::Full(Args::default()))),
            Category::QueueFull,
        ),
        (
            CallError::from(EmitFailed::from(crate::EncodeError::from(not_json()))),
            Category::InvalidArgument,
        ),
        (CallError::from(AckError::TimedOut), Category::TimedOut),
        (
            CallError::from(crate::DecodeError::from(not_json())),
            Category::UnexpectedData,
        ),
    ];
    for (error, category) in calls {
        let (blame, may_retry) = (error.blame(), error.may_retry());
        assert_eq!(error.category(), category, "{error}");
        let error = Error::from(error);
        assert_eq!(
            (error.category(), error.blame(), error.may_retry()),
            (category, blame, may_retry),
            "{error}"
        );
    }
}
