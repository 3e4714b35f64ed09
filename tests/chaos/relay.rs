//! A relay between a client and a server, of which many connections come to grief: they are cut, they stall, answers
//! are lost, and one side hears of a broken connection seconds after the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::Chance;

/// How long a relayed connection may be idle.
const IDLE: Duration = Duration::from_secs(120);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fair,
    /// Both ends are closed after so many bytes to the server.
    CutUp(u64),
    /// Both ends are closed after so many bytes to the client.
    CutDown(u64),
    /// Nothing more for a while after so many bytes to the server, then it goes on.
    StallUp(u64, Duration),
    /// The same to the client.
    StallDown(u64, Duration),
    /// What the server says after so many bytes is thrown away; then the client's end is closed.
    LoseAnswer(u64),
    /// The client's end is closed after so many bytes to the server, which hears of it later.
    LateForServer(u64, Duration),
    /// The server's end is closed after so many bytes to it, and the client hears of it later.
    LateForClient(u64, Duration),
    /// The first answer is something that is no HTTP.
    Garbage,
}

/// A relay. It ends, and all its connections with it, when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    /// One connection in so many has a fate of its own; 0 means none.
    one_in: AtomicU64,
    chance: Mutex<Chance>,
    /// Fates that have come true.
    told: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Relay {
    /// A relay to the server of that URL, which must be plain HTTP.
    pub(crate) fn open(url: &str, seed: u64) -> Self {
        let host = url.strip_prefix("http://").expect("a server without TLS").trim_end_matches('/');
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let to = host.to_socket_addrs().expect("a host").next().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            to,
            one_in: AtomicU64::new(0),
            chance: Mutex::new(Chance::new(seed)),
            told: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || carry(&shared, &client));
            }
        });
        Self { url: format!("http://{address}"), address, shared }
    }

    /// From now on one connection in so many comes to grief; 0 means none.
    pub(crate) fn weather(&self, one_in: u64) {
        self.shared.one_in.store(one_in, Ordering::Relaxed);
    }

    /// What has happened since this was asked last.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // So that it notices.
        let _ = TcpStream::connect(self.address);
    }
}

/// Draws what becomes of the next connection.
fn fate(shared: &Shared) -> Fate {
    let one_in = shared.one_in.load(Ordering::Relaxed);
    let mut chance = shared.chance.lock().unwrap_or_else(PoisonError::into_inner);
    if one_in == 0 || !chance.one_of(one_in) {
        return Fate::Fair;
    }
    // In heads, in small bodies, deep in large ones.
    let bytes = match chance.below(3) {
        0 => chance.below(600),
        1 => chance.below(20_000),
        _ => chance.below(12 << 20),
    };
    let time = Duration::from_millis(100 + chance.below(4000));
    match chance.below(8) {
        0 => Fate::CutUp(bytes),
        1 => Fate::CutDown(bytes),
        2 => Fate::StallUp(bytes, time),
        3 => Fate::StallDown(bytes, time),
        4 => Fate::LoseAnswer(bytes.min(20_000) / 64),
        5 => Fate::LateForServer(bytes, time),
        6 => Fate::Garbage,
        _ => Fate::LateForClient(bytes, time),
    }
}

fn carry(shared: &Arc<Shared>, client: &TcpStream) {
    let Ok(server) = TcpStream::connect(shared.to) else { return };
    for stream in [client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(IDLE));
    }
    let fate = fate(shared);
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    let down = {
        let shared = Arc::clone(shared);
        thread::spawn(move || pump_down(&shared, fate, &server_too, &client_too))
    };
    pump_up(shared, fate, client, &server);
    let _ = down.join();
}

fn tell(shared: &Shared, fate: Fate) {
    shared.told.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{fate:?}"));
}

fn close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// Carries bytes until `limit` of them have passed; says whether that is so.
fn pass(from: &TcpStream, to: &TcpStream, limit: u64) -> bool {
    let (mut from, mut to, mut left) = (from, to, limit);
    let mut buffer = vec![0; 1 << 14];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match from.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => return false,
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    return false;
                }
                left -= count as u64;
            }
        }
    }
    true
}

fn pump_up(shared: &Shared, fate: Fate, client: &TcpStream, server: &TcpStream) {
    let limit = match fate {
        Fate::CutUp(bytes)
        | Fate::StallUp(bytes, _)
        | Fate::LateForServer(bytes, _)
        | Fate::LateForClient(bytes, _) => bytes,
        _ => u64::MAX,
    };
    if pass(client, server, limit) {
        tell(shared, fate);
        match fate {
            Fate::StallUp(_, time) => {
                thread::sleep(time);
                pass(client, server, u64::MAX);
            }
            Fate::LateForServer(_, time) => {
                close(client);
                thread::sleep(time);
            }
            Fate::LateForClient(_, time) => {
                close(server);
                thread::sleep(time);
            }
            _ => {}
        }
    }
    close(server);
    close(client);
}

fn pump_down(shared: &Shared, fate: Fate, server: &TcpStream, client: &TcpStream) {
    if fate == Fate::Garbage {
        let (mut from, mut to) = (server, client);
        if from.read(&mut [0; 1 << 14]).is_ok_and(|count| count > 0) {
            tell(shared, fate);
            let _ = to.write_all(b"\x00\xffnobody knows what this is\r\n\r\n");
        }
        close(client);
        close(server);
        return;
    }
    let limit = match fate {
        Fate::CutDown(bytes) | Fate::StallDown(bytes, _) | Fate::LoseAnswer(bytes) => bytes,
        _ => u64::MAX,
    };
    if pass(server, client, limit) {
        match fate {
            Fate::StallDown(_, time) => {
                tell(shared, fate);
                thread::sleep(time);
                pass(server, client, u64::MAX);
            }
            Fate::LoseAnswer(_) => {
                // All of it, as far as it comes at once.
                let begun = Instant::now();
                let _ = server.set_read_timeout(Some(Duration::from_millis(300)));
                let (mut from, mut buffer, mut lost) = (server, vec![0; 1 << 14], 0);
                while begun.elapsed() < Duration::from_secs(5) {
                    match from.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => lost += count,
                        Err(_) if lost > 0 => break,
                        Err(_) => {}
                    }
                }
                if lost > 0 {
                    tell(shared, fate);
                }
            }
            _ => tell(shared, fate),
        }
        close(client);
        close(server);
    } else if !matches!(fate, Fate::LateForClient(..) | Fate::LateForServer(..)) {
        // The server has nothing more to say. Where news come late, the other direction closes.
        close(client);
        close(server);
    }
}
