//! A collector behind a network that can fail: what it listens on stays, what happens to a connection changes.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to the next connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// They reach the collector.
    Fair,
    /// They are accepted and never answered.
    Silent,
    /// They are answered with something that is not HTTP.
    Garbage,
}

pub struct Front {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    weather: Weather,
    /// Connections nobody answers; they stay open as long as the front.
    held: Vec<TcpStream>,
    met: usize,
}

impl Front {
    /// A front before the collector at `behind`.
    pub fn before(behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the address just bound");
        let shared = Arc::new(Mutex::new(Shared { weather: Weather::Fair, held: Vec::new(), met: 0 }));
        let (behind, state) = (behind.trim_start_matches("http://").to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // whoever connects may also go away
                let _ = meet(stream, &behind, &state);
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the weather for connections to come; those that were held are let go.
    pub fn turn(&self, weather: Weather) {
        let mut shared = self.shared.lock().expect("no thread of the front panics");
        shared.weather = weather;
        shared.held.clear();
    }

    /// Connections met so far.
    pub fn met(&self) -> usize {
        self.shared.lock().expect("no thread of the front panics").met
    }

    /// Connections that wait for an answer now: held by us, and not given up by the other side.
    pub fn waiting(&self) -> usize {
        let shared = self.shared.lock().expect("no thread of the front panics");
        shared.held.iter().filter(|stream| is_open(stream)).count()
    }
}

fn meet(mut stream: TcpStream, behind: &str, shared: &Mutex<Shared>) -> io::Result<()> {
    let mut shared = shared.lock().expect("no thread of the front panics");
    shared.met += 1;
    match shared.weather {
        Weather::Fair => {
            let collector = TcpStream::connect(behind)?;
            let (to, back) = ((stream.try_clone()?, collector.try_clone()?), (collector, stream));
            thread::spawn(move || pour(to.0, to.1));
            thread::spawn(move || pour(back.0, back.1));
        }
        Weather::Silent => shared.held.push(stream),
        Weather::Garbage => stream.write_all(b"\x16\x03\x01 no such thing as HTTP here\n")?,
    }
    Ok(())
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Whether the other side still waits: its request may lie there unread, its goodbye may not.
fn is_open(stream: &TcpStream) -> bool {
    let mut bytes = [0; 1 << 13];
    stream.set_nonblocking(true).is_ok()
        && loop {
            match io::Read::read(&mut &*stream, &mut bytes) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        }
}
