//! Many clients that do nothing but answer pings: what they cost stays the same, and nothing stays when they have gone.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::engineio::Transport;
use sansocket::tokio::engineio::Client;

use crate::http::{Connection, PATIENCE};
use crate::server::alone;

/// How much the memory of the server may grow while nothing happens, in parts of itself, and beyond that in kB.
const FLAT: (u64, u64) = (20, 4096);

#[test]
fn two_hundred_idle_clients_stay_as_they_are() {
    // Nobody counts threads meanwhile, but they take time from those who do.
    let _alone = alone();
    idle(200, Duration::from_millis(500), Duration::from_secs(3));
}

/// `cargo test --release --test blocking -- --ignored --nocapture`
#[test]
#[ignore = "takes more than a minute, and 15,000 file descriptors"]
fn five_thousand_idle_clients_stay_as_they_are_for_a_minute() {
    let _alone = alone();
    idle(5000, Duration::from_secs(5), Duration::from_secs(60));
}

/// What the system says of the server.
#[derive(Clone, Copy, Debug)]
struct Cost {
    threads: u64,
    /// Resident memory, in kB.
    memory: u64,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Server {
    fn cost(&self) -> Cost {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).expect("a number")
        };
        Cost {
            threads: number("Threads:"),
            memory: number("VmRSS:"),
        }
    }
}

/// Half of the clients poll, half have a WebSocket.
fn idle(count: usize, ping_interval: Duration, time: Duration) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_sansocket"))
        .args([
            "serve",
            "--app",
            "echo",
            "--addr",
            "127.0.0.1:0",
            "--stats",
            "--runtime",
            "blocking",
        ])
        .args(["--ping-interval", &format!("{}ms", ping_interval.as_millis())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = server.stdout.take().expect("a piped stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let server = Server(server);
    let url = line
        .trim_end()
        .strip_prefix("listening on ")
        .expect("the line that was agreed");
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    let address = address.expect("an address");
    let sessions = move || {
        let stats = Connection::open(address).get("/__stats");
        let text = stats.text().strip_prefix("{\"sessions\":").expect("counts").to_owned();
        let digits = text.split(',').next().expect("a number");
        digits.parse::<usize>().expect("a number")
    };
    let at_first = server.cost();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut clients = Vec::new();
        while clients.len() < count {
            // So many at a time, that the system can queue them.
            let opening: Vec<_> = (0..50.min(count - clients.len()))
                .map(|number| {
                    let transport = [Transport::Polling, Transport::WebSocket][number % 2];
                    let client = Client::builder(url).transports(&[transport]).allow_upgrades(false);
                    tokio::spawn(client.no_proxy().connect())
                })
                .collect();
            for client in opening {
                clients.push(client.await.expect("no panic").expect("a session"));
            }
        }
        // Until every one has answered a ping.
        tokio::time::sleep(ping_interval + ping_interval / 2).await;
        let begun = Instant::now();
        let before = server.cost();
        println!("{count} clients: {before:?} ({at_first:?} before)");
        while begun.elapsed() < time {
            tokio::time::sleep(time / 6).await;
            println!("{:3} s: {:?}", begun.elapsed().as_secs(), server.cost());
        }
        let after = server.cost();
        let lost = clients.iter().filter(|client| client.closed().is_some()).count();
        assert_eq!(lost, 0, "sessions were lost");
        assert_eq!(tokio::task::spawn_blocking(sessions).await.expect("no panic"), count);
        let (parts, beyond) = FLAT;
        assert!(
            after.memory <= before.memory + before.memory / parts + beyond,
            "{before:?} {after:?}"
        );
        // Some that poll are between two requests.
        let more = after.threads.abs_diff(before.threads);
        assert!(more <= before.threads / 20, "{before:?} {after:?}");
        for client in &mut clients {
            client.close().await.expect("nothing is left");
        }
    });

    let deadline = Instant::now() + PATIENCE;
    let mut left = count;
    loop {
        // Asked no more once they are gone: whoever asks keeps the threads busy that should end.
        if left > 0 {
            left = sessions();
        }
        let cost = server.cost();
        if left == 0 && cost.threads <= at_first.threads + 1 {
            println!("all closed: {cost:?}");
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{left} sessions are left, {cost:?} ({at_first:?} before)"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
