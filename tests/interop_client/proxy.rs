//! Forward proxies that we did not write: tinyproxy and Squid.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Running;
use crate::server::free_port;

const START: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Product {
    Tinyproxy,
    Squid,
}

pub struct Proxy {
    product: Product,
    running: Running,
    folder: PathBuf,
    pub port: u16,
}

impl Proxy {
    /// `more` is configuration in the product's own language.
    pub fn start(product: Product, more: &str) -> Proxy {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("sansocket-proxy-{port}"));
        fs::create_dir_all(&folder).expect("a temporary folder");
        // Squid as root becomes another user, who writes there.
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("it is ours");
        let file = folder.join("configuration");
        let place = folder.display();
        let (configuration, program, arguments, ready) = match product {
            Product::Tinyproxy => (
                format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nLogLevel Info\nMaxClients 50\n{more}"),
                "tinyproxy",
                vec!["-d".to_owned(), "-c".to_owned()],
                "Accepting connections",
            ),
            Product::Squid => (
                format!(
                    "http_port 127.0.0.1:{port}\nhttp_access allow all\ncache deny all\ncache_mem 8 MB\n\
                     pid_filename none\naccess_log stdio:{place}/access\ncache_log {place}/cache\n\
                     netdb_filename none\npinger_enable off\ncoredump_dir {place}\nshutdown_lifetime 0 seconds\n{more}"
                ),
                squid(),
                // The name keeps its shared memory apart from another Squid's.
                vec![
                    "-N".to_owned(),
                    "-d1".to_owned(),
                    "-n".to_owned(),
                    format!("sansocket{port}"),
                    "-f".to_owned(),
                ],
                "Accepting HTTP Socket connections",
            ),
        };
        fs::write(&file, configuration).expect("a file in our folder");
        let mut command = Command::new(program);
        command.args(arguments).arg(&file);
        let mut running = Running::start(program, &mut command);
        // Squid leaves shared memory behind when it is killed.
        running.ends_politely = true;
        running.line_with(ready, START);
        Proxy {
            product,
            running,
            folder,
            port,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the log names a request that begins so: `GET http://…`, or `CONNECT host:port`.
    pub fn expect_request(&mut self, start: &str) {
        match self.product {
            Product::Tinyproxy => {
                // It may have been read before.
                if !self.running.seen.iter().any(|line| line.contains(start)) {
                    self.running.line_with(start, WAIT);
                }
            }
            // Squid tells of a request when it is over.
            Product::Squid => {
                let log = self.folder.join("access");
                let deadline = Instant::now() + WAIT;
                loop {
                    let lines = fs::read_to_string(&log).unwrap_or_default();
                    if lines.contains(start) {
                        return;
                    }
                    assert!(Instant::now() < deadline, "no `{start}` in Squid's log:\n{lines}");
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// Ends it, and looks through all that tinyproxy has said.
    pub fn expect_no_connection(mut self) {
        assert_eq!(self.product, Product::Tinyproxy, "whose log tells of each connection");
        self.running.signal("TERM");
        self.running.last_lines(WAIT);
        let connected = self.running.seen.iter().find(|line| line.contains("Connect (file"));
        assert_eq!(connected, None, "nobody should have come");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Debian keeps it where not everybody looks.
fn squid() -> &'static str {
    if fs::exists("/usr/sbin/squid").is_ok_and(|there| there) {
        "/usr/sbin/squid"
    } else {
        "squid"
    }
}
