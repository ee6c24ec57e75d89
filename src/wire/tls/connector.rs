//! A client's end: whom it trusts, and who it is.

use core::cell::Cell;
use core::fmt;
use std::sync::{Arc, OnceLock};
use std::thread_local;
use std::vec;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SignatureScheme};

use super::verifier::{Anybody, Explaining};
use super::{ALPN, Identity, Roots, TlsConnection, TlsError, provider};
use crate::error::{Error, Result};

/// Whom a client trusts, and who it says it is.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    trust: Trust,
    identity: Option<Identity>,
}

#[derive(Clone, Debug, Default)]
enum Trust {
    #[default]
    Platform,
    These(Roots),
    Everybody,
}

impl ClientOptions {
    /// Trusts whom the operating system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts servers that these roots vouch for, and no others.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.trust = Trust::These(roots);
        self
    }

    /// Shows this certificate to servers that ask for one.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// **Trusts everybody.** Whoever is between the client and the server can read and change all of it, passwords
    /// included, with any certificate whatsoever. For tests, at most.
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.trust = Trust::Everybody;
        self
    }

    fn build(self) -> Result<Arc<ClientConfig>> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| unusable())?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.trust {
            Trust::Platform => explaining(Roots::platform()?)?,
            Trust::These(roots) => explaining(roots)?,
            Trust::Everybody => Arc::new(Anybody(provider())),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(Arc::new(match self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.0)))
            }
        }))
    }
}

fn unusable() -> Error {
    Error::Unusable {
        what: "tls",
        why: "rustls makes no connections with this configuration",
    }
}

fn explaining(roots: Roots) -> Result<Arc<Explaining>> {
    let inner = WebPkiServerVerifier::builder_with_provider(roots.0.clone(), provider()).build();
    Ok(Arc::new(Explaining {
        inner: inner.map_err(|_| unusable())?,
        roots,
    }))
}

/// Makes connections of a client's: what [`ClientBuilder::tls`](crate::runtime::engineio::ClientBuilder::tls) takes.
///
/// ```no_run
/// use sansocket::tls::{ClientOptions, Connector, Identity, Roots};
///
/// let options = ClientOptions::new()
///     .roots(Roots::from_pem_file("ca.pem")?)
///     .identity(Identity::from_pem_files("me.pem", "me.key")?);
/// let tls = Connector::new(options)?;
/// // Client::builder("wss://example.com").tls(tls)…
/// # Ok::<(), sansocket::Error>(())
/// ```
///
/// Clones are cheap and share what they are, the memory of sessions that can be resumed
/// included: give the same one to all clients of a server.
#[derive(Clone)]
pub struct Connector(Arc<ClientConfig>);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// With these options.
    ///
    /// # Errors
    /// [`Error::Unusable`]: the platform has no roots, or the options do not go together.
    pub fn new(options: ClientOptions) -> Result<Self> {
        Self::from_config(options.build()?)
    }

    /// One that trusts whom the operating system trusts: what clients use that are given no other. Made once, when it is
    /// first asked for.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn platform() -> Result<Self> {
        static PLATFORM: OnceLock<Connector> = OnceLock::new();
        if let Some(connector) = PLATFORM.get() {
            return Ok(connector.clone());
        }
        let made = Self::new(ClientOptions::new())?;
        Ok(PLATFORM.get_or_init(|| made).clone())
    }

    /// With a configuration of `rustls`'s, and so with whatever cryptography it has. Its ALPN protocols and its early data
    /// are replaced: nothing but HTTP/1.1 is spoken here, and nothing that could be replayed.
    ///
    /// # Errors
    /// [`Error::Unusable`]: `rustls` makes no connections with it.
    pub fn from_config(config: Arc<ClientConfig>) -> Result<Self> {
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_early_data = false;
        let inner = config.client_auth_cert_resolver;
        config.client_auth_cert_resolver = Arc::new(Noticing(inner));
        let connector = Self(Arc::new(config));
        match connector.connect("localhost") {
            Ok(_) => Ok(connector),
            Err(_) => Err(unusable()),
        }
    }

    /// A connection to a host, a name or an IP address (IPv6 without brackets), whose certificate must be for it. A name is
    /// told to the server (SNI), an address is not.
    ///
    /// # Errors
    /// No certificate can be for such a host.
    pub fn connect(&self, host: &str) -> Result<TlsConnection, TlsError> {
        let name = ServerName::try_from(host).map_err(|_| TlsError::NoName)?;
        let connection = ClientConnection::new(self.0.clone(), name.to_owned());
        let connection = connection.map_err(|error| TlsError::Protocol(std::string::ToString::to_string(&error)))?;
        Ok(TlsConnection::new(connection.into()))
    }
}

thread_local! {
    static UNANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Whether, since this was asked last, a server wanted a certificate that the client does not have. `rustls` asks its
/// resolver within a call of ours, so the thread is a place to note it.
pub(super) fn take_unanswered() -> bool {
    UNANSWERED.replace(false)
}

/// Notices where there is no certificate for a server that asks for one: it may say no only after the handshake, and not
/// always why.
#[derive(Debug)]
struct Noticing(Arc<dyn ResolvesClientCert>);

impl ResolvesClientCert for Noticing {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = self.0.resolve(hints, schemes);
        UNANSWERED.set(found.is_none());
        found
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.0.has_certs()
    }
}
