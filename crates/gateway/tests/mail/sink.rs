//! A mail server over TCP that takes what it is given, or does with a session what a test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The certificate of the sink, which is its own authority.
pub const CERTIFICATE: &[u8] = include_bytes!("sink/certificate.pem");
const KEY: &[u8] = include_bytes!("sink/key.pem");

/// How a session goes wrong, and when: at the greeting, a command, in the middle of the text (`body`) or
/// at its end (`dot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Agreeable,
    Says(&'static str, &'static str),
    Hangs(&'static str),
    HangsUp(&'static str),
}

/// What a sink offers and wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    pub starttls: bool,
    pub implicit_tls: bool,
    /// Mechanisms, user and password.
    pub login: Option<(&'static str, &'static str, &'static str)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
    pub encrypted: bool,
    pub signed_in: bool,
}

#[derive(Clone)]
pub struct Sink {
    pub address: SocketAddr,
    wants: Wants,
    got: Arc<Mutex<Vec<Got>>>,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    sessions: Arc<Mutex<usize>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Wire = BufReader<Box<dyn Stream>>;

impl Sink {
    pub async fn start(wants: Wants, moods: &[Mood]) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Sink {
            address: listener.local_addr().unwrap(),
            wants,
            got: Arc::default(),
            moods: Arc::new(Mutex::new(moods.iter().copied().collect())),
            sessions: Arc::default(),
        };
        let served = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *served.sessions.lock().unwrap() += 1;
                let sink = served.clone();
                tokio::spawn(async move {
                    let _ = sink.session(Box::new(stream)).await;
                });
            }
        });
        sink
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn sessions(&self) -> usize {
        *self.sessions.lock().unwrap()
    }

    async fn encrypted(stream: Box<dyn Stream>) -> std::io::Result<Wire> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = CertificateDer::pem_slice_iter(CERTIFICATE).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
        Ok(BufReader::new(Box::new(stream)))
    }

    async fn session(&self, stream: Box<dyn Stream>) -> std::io::Result<()> {
        let mood = self.moods.lock().unwrap().pop_front().unwrap_or(Mood::Agreeable);
        let mut encrypted = self.wants.implicit_tls;
        let mut wire = if encrypted { Sink::encrypted(stream).await? } else { BufReader::new(stream) };
        let mut got =
            Got { from: String::new(), to: vec![], text: String::new(), encrypted, signed_in: false };
        let Some(()) = answer(&mut wire, mood, "greeting", "220 sink").await? else { return Ok(()) };
        loop {
            let Some(line) = line(&mut wire).await? else { return Ok(()) };
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let rest = line.split_once(':').map_or("", |(_, rest)| rest);
            let address = rest.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
            let login = self.wants.login.filter(|_| encrypted || !self.wants.starttls);
            let (at, said) = match word.as_str() {
                "EHLO" => {
                    let mut offers = vec!["sink".to_owned(), "8BITMIME".to_owned()];
                    offers.extend((self.wants.starttls && !encrypted).then(|| "STARTTLS".to_owned()));
                    offers.extend(login.map(|(mechanisms, ..)| format!("AUTH {mechanisms}")));
                    let last = offers.pop().unwrap();
                    let lines: String = offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
                    ("ehlo", format!("{lines}250 {last}"))
                }
                "STARTTLS" => {
                    let Some(()) = answer(&mut wire, mood, "starttls", "220 go").await? else {
                        return Ok(());
                    };
                    wire = Sink::encrypted(wire.into_inner()).await?;
                    (encrypted, got.encrypted) = (true, true);
                    continue;
                }
                "AUTH" => {
                    got.signed_in = signed_in(&mut wire, &line, login).await?;
                    ("auth", if got.signed_in { "235 welcome" } else { "535 wrong password" }.to_owned())
                }
                "MAIL" if login.is_some() && !got.signed_in => ("mail", "530 sign in first".to_owned()),
                "MAIL" => {
                    (got.from, got.to) = (address, Vec::new());
                    ("mail", "250 ok".to_owned())
                }
                "RCPT" => {
                    got.to.push(address);
                    ("rcpt", "250 ok".to_owned())
                }
                "DATA" => {
                    let Some(()) = answer(&mut wire, mood, "data", "354 go on").await? else { return Ok(()) };
                    if matches!(mood, Mood::Says("data", _)) {
                        continue;
                    }
                    let Some(text) = text(&mut wire, mood == Mood::HangsUp("body")).await? else {
                        return Ok(());
                    };
                    got.text = text;
                    // A server that hangs up after the dot has taken the mail all the same.
                    if !matches!(mood, Mood::Says("dot", _)) {
                        self.got.lock().unwrap().push(got.clone());
                    }
                    ("dot", "250 taken".to_owned())
                }
                "QUIT" => {
                    let _ = answer(&mut wire, Mood::Agreeable, "quit", "221 bye").await;
                    return Ok(());
                }
                _ => ("other", "502 what?".to_owned()),
            };
            let Some(()) = answer(&mut wire, mood, at, &said).await? else { return Ok(()) };
        }
    }
}

/// Answers as the mood is; nothing when the session ends by it.
async fn answer(wire: &mut Wire, mood: Mood, at: &str, said: &str) -> std::io::Result<Option<()>> {
    let said = match mood {
        Mood::HangsUp(when) if when == at => return Ok(None),
        Mood::Hangs(when) if when == at => std::future::pending().await,
        Mood::Says(when, other) if when == at => other,
        _ => said,
    };
    wire.write_all(format!("{said}\r\n").as_bytes()).await?;
    wire.flush().await.map(Some)
}

async fn line(wire: &mut Wire) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = wire.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The text up to the dot; `cut_off`: only its first lines are read.
async fn text(wire: &mut Wire, cut_off: bool) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    while let Some(line) = line(wire).await? {
        if line == "." {
            return Ok(Some(text));
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
        if cut_off && text.len() > 100 {
            return Ok(None);
        }
    }
    Ok(None)
}

async fn signed_in(
    wire: &mut Wire,
    line_of_auth: &str,
    login: Option<(&str, &str, &str)>,
) -> std::io::Result<bool> {
    let Some((_, user, password)) = login else { return Ok(false) };
    let plain = |text: &str| String::from_utf8(BASE64_STANDARD.decode(text).unwrap_or_default()).unwrap();
    let mut words = line_of_auth.split(' ').skip(1);
    if words.next() == Some("PLAIN") {
        let given = words.next().map(plain).unwrap_or_default();
        return Ok(given == format!("\0{user}\0{password}"));
    }
    let mut given = Vec::new();
    for question in ["Username:", "Password:"] {
        let asked = format!("334 {}", BASE64_STANDARD.encode(question));
        answer(wire, Mood::Agreeable, "", &asked).await?;
        given.push(line(wire).await?.map(|text| plain(&text)).unwrap_or_default());
    }
    Ok(given == [user, password])
}
