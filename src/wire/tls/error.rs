//! What goes wrong with TLS, each in one line.

use std::string::{String, ToString};
use std::vec::Vec;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::verifier::Finding;

/// What went wrong with TLS. Each is said of the peer, the server for a client and the client for a server: "it".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The time of its certificate, or of one that vouches for it, is over.
    #[error("its certificate has expired")]
    Expired,
    /// The time of its certificate has not begun. Perhaps the clock here is wrong.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// Its certificate is somebody else's.
    #[error("its certificate is not for {wanted}{}", but_for(.presented))]
    WrongName {
        /// The host that was asked for.
        wanted: String,
        /// Whom it is for.
        presented: Vec<String>,
    },
    /// Nobody but itself vouches for its certificate, and it is not trusted itself.
    #[error("its certificate is self-signed, and not trusted")]
    SelfSigned,
    /// Somebody vouches for its certificate, but nobody who is trusted.
    #[error("its certificate is not trusted: its issuer is unknown")]
    Untrusted,
    /// Something else is wrong with its certificate.
    #[error("its certificate can not be used: {0}")]
    BadCertificate(String),
    /// It was asked for a certificate and has shown none.
    #[error("it has shown no certificate")]
    NoCertificate,
    /// It wants a certificate, and there was none to show.
    #[error("it wants a client certificate, and there was none to show")]
    CertificateRequired,
    /// It does not take the certificate that it was shown.
    #[error("it does not accept our certificate: {0}")]
    Refused(&'static str),
    /// It speaks something else than TLS.
    #[error("it does not speak TLS")]
    NotTls,
    /// It has sent an HTTP request as it is.
    #[error("it speaks HTTP without TLS")]
    PlainHttp,
    /// It speaks no version of TLS that is safe: 1.2 and 1.3 are.
    #[error("it speaks neither TLS 1.2 nor TLS 1.3")]
    Version,
    /// It wants to speak something else than HTTP/1.1 (ALPN).
    #[error("it does not want to speak HTTP/1.1")]
    NoHttp11,
    /// No certificate can be for a host of this name.
    #[error("a host of this name can not have a certificate")]
    NoName,
    /// It has ended the connection before the handshake was over.
    #[error("it has ended the connection in the middle of the handshake")]
    EndedEarly,
    /// It has taken too long for the handshake.
    #[error("it has taken too long for the handshake")]
    Late,
    /// The connection has ended without a close_notify: what came may not be all.
    #[error("the connection was cut off: it ended without close_notify")]
    Truncated,
    /// It has refused the handshake, or ended the connection, with this alert.
    #[error("it has refused: {0}")]
    Alert(String),
    /// It breaks the protocol, or somebody between has changed what it sent.
    #[error("{0}")]
    Protocol(String),
}

/// How many of a certificate's names are shown: some have thousands.
const MAX_NAMES: usize = 8;

fn but_for(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len() - names.len().min(MAX_NAMES) {
        0 => std::format!(", but for {shown}"),
        more => std::format!(", but for {shown} and {more} more"),
    }
}

/// A name as `webpki` shows it, `DnsName("a.example")`, without what is around it, and harmless for a terminal.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let inner = inner.unwrap_or(name).trim_matches('"');
    inner.escape_debug().to_string()
}

impl TlsError {
    pub(super) fn new(error: Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::certificate(error),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::AlertReceived(alert) => Self::alert(alert),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                // Clients before TLS 1.2 do not have it.
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Version,
            Error::PeerIncompatible(
                PeerIncompatible::NoCipherSuitesInCommon
                | PeerIncompatible::NoKxGroupsInCommon
                | PeerIncompatible::NoSignatureSchemesInCommon,
            ) => Self::Protocol("no cryptography is known to both ends".to_string()),
            Error::NoApplicationProtocol => Self::NoHttp11,
            Error::DecryptError => {
                Self::Protocol("what came can not be decrypted: it was changed on the way".to_string())
            }
            Error::PeerSentOversizedRecord => Self::Protocol("a record is larger than TLS allows".to_string()),
            error => Self::Protocol(std::format!("the protocol was broken: {error}")),
        }
    }

    fn certificate(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName => Self::WrongName {
                wanted: "this host".to_string(),
                presented: Vec::new(),
            },
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongName {
                wanted: expected.to_str().to_string(),
                presented: presented.iter().map(|name| bare(name)).collect(),
            },
            CertificateError::UnknownIssuer => Self::Untrusted,
            CertificateError::Other(error) => match error.0.downcast_ref() {
                Some(Finding::SelfSigned) => Self::SelfSigned,
                Some(Finding::Authority) => {
                    Self::BadCertificate("it is that of a certificate authority, not of a server".to_string())
                }
                None => Self::BadCertificate(error.to_string()),
            },
            error => Self::BadCertificate(error.to_string()),
        }
    }

    fn alert(alert: AlertDescription) -> Self {
        Self::Refused(match alert {
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
                return Self::CertificateRequired;
            }
            AlertDescription::ProtocolVersion => return Self::Version,
            // A goodbye, before there was anything to say.
            AlertDescription::CloseNotify => return Self::EndedEarly,
            AlertDescription::NoApplicationProtocol => return Self::NoHttp11,
            AlertDescription::CertificateExpired => "it has expired, or is not valid yet",
            AlertDescription::UnknownCA => "its issuer is unknown there",
            AlertDescription::CertificateRevoked => "it was revoked",
            AlertDescription::UnsupportedCertificate => "it is of a kind that is not supported there",
            AlertDescription::BadCertificate => "it is not valid there",
            AlertDescription::CertificateUnknown => "it is not trusted there",
            AlertDescription::AccessDenied => "access is denied",
            AlertDescription::UnrecognisedName => {
                return Self::Alert("it does not know the name that was asked for".to_string());
            }
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                return Self::Alert("it can not agree on the cryptography (alert HandshakeFailure)".to_string());
            }
            alert => return Self::Alert(std::format!("alert {alert:?}")),
        })
    }
}
