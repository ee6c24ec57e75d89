//! `https` and `wss` on the command line.

use std::path::PathBuf;

use clap::Args;
use sansocket::tls::{Acceptor, ClientOptions, Connector, Identity, Roots, ServerOptions};

/// How a server shows who it is, and whom it wants to see.
#[derive(Args, Clone)]
pub struct ServerTls {
    /// Serve https and wss with this certificate: a PEM file, the chain behind it. SIGHUP reads both files again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of `--tls-cert`: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Turn away clients without a certificate that these vouch for: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

impl ServerTls {
    /// What the files hold; `None` where there is no TLS.
    ///
    /// # Errors
    /// One line, which says what is wrong with which file.
    pub fn acceptor(&self) -> Result<Option<Acceptor>, String> {
        let options = self.options()?;
        let acceptor = options.map(Acceptor::new).transpose();
        acceptor.map_err(|error| error.to_string())
    }

    fn options(&self) -> Result<Option<ServerOptions>, String> {
        let Some(identity) = identity(self.tls_cert.as_ref(), self.tls_key.as_ref())? else {
            return Ok(None);
        };
        let mut options = ServerOptions::new(identity);
        if let Some(ca) = &self.tls_client_ca {
            let roots = Roots::from_pem_file(ca).map_err(|error| named(ca, error))?;
            options = options.require_client_certificates(roots);
        }
        Ok(Some(options))
    }

    /// Reads the files again at each SIGHUP. Where they can not be used, the server goes on with what it has.
    #[cfg(unix)]
    pub fn reload_on_signal(&self, acceptor: &Acceptor) -> std::io::Result<()> {
        let (files, acceptor) = (self.clone(), acceptor.clone());
        let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP])?;
        // It ends with the program.
        std::thread::Builder::new().spawn(move || {
            for _ in signals.forever() {
                let reloaded = match files.options() {
                    Ok(Some(options)) => acceptor.reload(options).map_err(|error| error.to_string()),
                    Ok(None) => Ok(()),
                    Err(why) => Err(why),
                };
                match reloaded {
                    Ok(()) => tracing::info!("the certificate was read again"),
                    Err(why) => tracing::error!("the certificate can not be read again, the last one stays: {why}"),
                }
            }
        })?;
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn reload_on_signal(&self, _acceptor: &Acceptor) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whom a client trusts, and who it is.
#[derive(Args)]
pub struct ClientTls {
    /// Trust servers that these certificates vouch for, and no others: a PEM file [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show this certificate to a server that asks for one: a PEM file, the chain behind it
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of `--cert`: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Trust every server, whatever its certificate. Anybody on the way can read and change everything
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
}

impl ClientTls {
    /// What was asked for; `None` where nothing was.
    ///
    /// # Errors
    /// One line, which says what is wrong with which file.
    pub fn connector(&self) -> Result<Option<Connector>, String> {
        let identity = identity(self.cert.as_ref(), self.key.as_ref())?;
        if self.ca.is_none() && identity.is_none() && !self.insecure {
            return Ok(None);
        }
        let mut options = ClientOptions::new();
        if let Some(ca) = &self.ca {
            options = options.roots(Roots::from_pem_file(ca).map_err(|error| named(ca, error))?);
        }
        if self.insecure {
            options = options.danger_accept_invalid_certificates();
        }
        if let Some(identity) = identity {
            options = options.identity(identity);
        }
        Connector::new(options).map(Some).map_err(|error| error.to_string())
    }
}

fn identity(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Identity>, String> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let read = Identity::from_pem_files(cert, key);
    read.map(Some).map_err(|error| match error {
        sansocket::Error::Unusable { what: "key", .. } => named(key, error),
        error => named(cert, error),
    })
}

/// An error of the system's names its file already.
fn named(file: &std::path::Path, error: sansocket::Error) -> String {
    match error {
        sansocket::Error::Unusable { what, why } => format!("{}: unusable {what}: {why}", file.display()),
        error => error.to_string(),
    }
}
