//! A server's end: its certificates, and whose it wants to see.

use core::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::vec;
use std::vec::Vec;

use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::{ALPN, Identity, Roots, TlsConnection, provider};
use crate::error::{Error, Result};

/// What a server shows, and what it asks for.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    identities: Vec<Identity>,
    clients: Clients,
}

/// Whether clients have to say who they are.
#[derive(Clone, Debug)]
enum Clients {
    Anybody,
    May(Roots),
    Must(Roots),
}

impl ServerOptions {
    /// Shows this certificate to every client, unless there are more of them.
    pub fn new(identity: Identity) -> Self {
        Self {
            identities: vec![identity],
            clients: Clients::Anybody,
        }
    }

    /// One more certificate, for clients that ask for a name which is in it (SNI). Where several fit, it is the first whose
    /// key the client understands; where none does, the first of all.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// Asks clients for a certificate, and looks at it where they have one: [`Request::client_certificate`] shows it then.
    /// One that these roots do not vouch for is refused.
    ///
    /// [`Request::client_certificate`]: crate::http::Request::client_certificate
    #[must_use]
    pub fn allow_client_certificates(mut self, roots: Roots) -> Self {
        self.clients = Clients::May(roots);
        self
    }

    /// Turns away clients without a certificate that these roots vouch for.
    #[must_use]
    pub fn require_client_certificates(mut self, roots: Roots) -> Self {
        self.clients = Clients::Must(roots);
        self
    }

    fn build(self) -> Result<Arc<ServerConfig>> {
        let unusable = |_| Error::Unusable {
            what: "tls",
            why: "the certificates do not go with the cryptography that there is",
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let verifier = match self.clients {
            Clients::Anybody => None,
            Clients::May(roots) => {
                Some(WebPkiClientVerifier::builder_with_provider(roots.0, provider()).allow_unauthenticated())
            }
            Clients::Must(roots) => Some(WebPkiClientVerifier::builder_with_provider(roots.0, provider())),
        };
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => {
                let verifier = verifier.build().map_err(|_| Error::Unusable {
                    what: "roots",
                    why: "there is none",
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        Ok(Arc::new(builder.with_cert_resolver(Arc::new(ByName(self.identities)))))
    }
}

impl From<Identity> for ServerOptions {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}

/// Makes connections of a server's: what [`Builder::tls`](crate::runtime::engineio::Builder::tls) takes. Clones share what
/// they are, so one that is kept can [`reload`](Self::reload) that of a server which runs.
///
/// ```no_run
/// use sansocket::tls::{Acceptor, Identity};
///
/// let tls = Acceptor::new(Identity::from_pem_files("cert.pem", "key.pem")?)?;
/// // Server::builder().tls(tls.clone())…, and when there is a new certificate:
/// tls.reload(Identity::from_pem_files("cert.pem", "key.pem")?)?;
/// # Ok::<(), sansocket::Error>(())
/// ```
#[derive(Clone)]
pub struct Acceptor(Arc<RwLock<Arc<ServerConfig>>>);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

impl Acceptor {
    /// With these options, or just an [`Identity`].
    ///
    /// # Errors
    /// [`Error::Unusable`]: they do not go together.
    pub fn new(options: impl Into<ServerOptions>) -> Result<Self> {
        Self::from_config(options.into().build()?)
    }

    /// With a configuration of `rustls`'s, and so with whatever cryptography it has. Its ALPN protocols and its early data
    /// are replaced: nothing but HTTP/1.1 is spoken here, and nothing that could be replayed.
    ///
    /// # Errors
    /// [`Error::Unusable`]: `rustls` makes no connections with it.
    pub fn from_config(config: Arc<ServerConfig>) -> Result<Self> {
        Ok(Self(Arc::new(RwLock::new(http_only(config)?))))
    }

    /// Uses other certificates from now on, for new connections. Those that there are go on. Where this fails, nothing has
    /// changed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reload(&self, options: impl Into<ServerOptions>) -> Result<()> {
        self.reload_config(options.into().build()?)
    }

    /// The same with a configuration of `rustls`'s.
    ///
    /// # Errors
    /// As [`from_config`](Self::from_config).
    pub fn reload_config(&self, config: Arc<ServerConfig>) -> Result<()> {
        let config = http_only(config)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// A connection that was just accepted.
    pub fn accept(&self) -> TlsConnection {
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let connection =
            ServerConnection::new(config).expect("whether it can be used depends on the configuration, and was tried");
        TlsConnection::new(connection.into())
    }
}

/// The same for HTTP/1.1 alone, tried.
fn http_only(config: Arc<ServerConfig>) -> Result<Arc<ServerConfig>> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    let config = Arc::new(config);
    match ServerConnection::new(config.clone()) {
        Ok(_) => Ok(config),
        Err(_) => Err(Error::Unusable {
            what: "tls",
            why: "rustls makes no connections with this configuration",
        }),
    }
}

/// Chooses by the name that the client asks for.
#[derive(Debug)]
struct ByName(Vec<Identity>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let understood = |identity: &&Identity| identity.0.key.choose_scheme(hello.signature_schemes()).is_some();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| {
            let mut fitting = self.0.iter().filter(|identity| is_for(identity, &name));
            fitting.find(understood)
        });
        let chosen = named.or_else(|| self.0.iter().find(understood));
        chosen.map(|identity| identity.0.clone())
    }
}

fn is_for(identity: &Identity, name: &ServerName<'_>) -> bool {
    let certificate = identity.0.cert.first();
    let certificate = certificate.and_then(|certificate| webpki::EndEntityCert::try_from(certificate).ok());
    certificate.is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
}
