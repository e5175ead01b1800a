//! The mail server that mails leave by, and one connection to it. What goes wrong is sorted by what
//! can be done about it: a server that cannot be reached says nothing about the mail.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use storage::mails::{Mail, SECRET};

/// How long a server may take for its answers to one mail, or to be connected.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How the way to the server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// It begins in clear and is encrypted before anything is said; where the server does not offer
    /// that, nothing is sent. Usual on port 587.
    StartTls,
    /// It is encrypted from the first byte. Usual on port 465.
    Implicit,
    /// Not at all: for a server on the same machine.
    None,
}

/// A mail server and how we are known there.
#[derive(Clone)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is kept from others.
    pub tls: Tls,
    /// The certificate of an authority to trust besides the public ones, as PEM.
    pub authority: Option<Vec<u8>>,
    /// User and password, where it asks for them.
    pub login: Option<(String, String)>,
    /// Who mails are from.
    pub from: Mailbox,
    /// Who answers go to.
    pub reply_to: Option<Mailbox>,
    /// What we call ourselves to it.
    pub hello: String,
    /// How long it may take for its answers to one mail.
    pub answer_within: Duration,
}

/// Shows no secrets.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({:?})", self.host, self.port, self.tls)
    }
}

/// Reads who mails are from: `sms@example.com` or `Branchline <sms@example.com>`.
///
/// # Errors
/// In words that say how to write it.
pub fn mailbox(text: &str) -> Result<Mailbox, String> {
    let wrong =
        || format!("'{text}' is not a mail address; write it as sms@example.com or Name <sms@example.com>");
    let read: Mailbox = text.trim().parse().map_err(|_| wrong())?;
    if text.contains(char::is_control) { Err(wrong()) } else { Ok(read) }
}

/// Who mails are from that have no server to go to.
pub fn keeper() -> Mailbox {
    let address = lettre::Address::new("branchline", "localhost").expect("this is an address");
    Mailbox::new(Some("Branchline".to_owned()), address)
}

/// Checks a certificate, as PEM.
///
/// # Errors
/// In words.
pub fn authority(pem: &[u8]) -> Result<(), String> {
    let read = Certificate::from_pem(pem).map_err(|error| format!("is not a certificate in PEM: {error}"))?;
    let built = TlsParameters::builder("localhost".to_owned()).add_root_certificate(read).build();
    built.map(drop).map_err(|error| format!("cannot be used: {error}"))
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server does not want it now, or the line broke; later it may.
    Later(String),
    /// It does not want it at all.
    Refused(String),
}

impl Server {
    /// Its address, as people write it.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn tls_parameters(&self) -> Result<TlsParameters, String> {
        let mut builder =
            TlsParameters::builder(self.host.clone()).certificate_store(CertificateStore::Default);
        if let Some(pem) = &self.authority {
            builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(in_words)?);
        }
        builder.build().map_err(in_words)
    }

    /// Connects, encrypts and signs in.
    pub(super) async fn connect(&self) -> Result<Line<'_>, String> {
        let connecting = async {
            let hello = ClientId::Domain(self.hello.clone());
            let implicit = if self.tls == Tls::Implicit { Some(self.tls_parameters()?) } else { None };
            let place = (self.host.as_str(), self.port);
            let within = Some(self.answer_within);
            let mut open = AsyncSmtpConnection::connect_tokio1(place, within, &hello, implicit, None)
                .await
                .map_err(in_words)?;
            if self.tls == Tls::StartTls {
                open.starttls(self.tls_parameters()?, &hello).await.map_err(in_words)?;
            }
            if let Some((user, password)) = &self.login {
                let credentials = Credentials::new(user.clone(), password.clone());
                open.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(in_words)?;
            }
            Ok(Line { server: self, open })
        };
        match tokio::time::timeout(self.answer_within, connecting).await {
            Ok(done) => done.map_err(|why: String| format!("{}: {why}", self.address())),
            Err(_) => Err(format!("{} did not answer within {:?}", self.address(), self.answer_within)),
        }
    }
}

/// A connection to the server.
pub(super) struct Line<'a> {
    server: &'a Server,
    open: AsyncSmtpConnection,
}

impl Line<'_> {
    /// Hands a mail over. When it fails the line is broken.
    pub async fn send(&mut self, mail: &Mail) -> Result<(), Failure> {
        let message =
            composed(mail, &self.server.from, self.server.reply_to.as_ref()).map_err(Failure::Refused)?;
        let (envelope, octets): (&Envelope, Vec<u8>) = (message.envelope(), message.formatted());
        match tokio::time::timeout(self.server.answer_within, self.open.send(envelope, &octets)).await {
            Ok(Ok(_)) => Ok(()),
            // What we ourselves cannot say to this server we cannot say later either.
            Ok(Err(error)) if error.is_permanent() || error.is_client() => {
                Err(Failure::Refused(in_words(error)))
            }
            Ok(Err(error)) => Err(Failure::Later(in_words(error))),
            Err(_) => Err(Failure::Later(format!("no answer within {:?}", self.server.answer_within))),
        }
    }

    /// Whether another mail can follow.
    pub fn usable(&self) -> bool {
        !self.open.has_broken()
    }

    /// Takes leave.
    pub async fn quit(mut self) {
        // The server may have hung up already, which does no harm.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.open.quit()).await;
    }
}

/// What went wrong and, where it is known, why.
fn in_words(error: lettre::transport::smtp::Error) -> String {
    let mut words = error.to_string();
    words.retain(|c| !c.is_control());
    words.chars().take(500).collect()
}

/// A mail as it travels. Its name in the world stays the same however often it is sent, so that mail
/// programs show one that came twice once.
pub(super) fn composed(
    mail: &Mail,
    from: &Mailbox,
    reply_to: Option<&Mailbox>,
) -> Result<lettre::Message, String> {
    let to: lettre::Address = mail
        .recipient
        .parse()
        .map_err(|error| format!("'{}' cannot be written to: {error}", mail.recipient))?;
    let secret = mail.secret.as_deref().unwrap_or_default();
    let (plain, html) = (mail.plain.replace(SECRET, secret), mail.html.replace(SECRET, secret));
    let written = UNIX_EPOCH + Duration::from_micros(u64::try_from(mail.created_at.0).unwrap_or(0));
    let name = format!("<{}.{}@{}>", mail.created_at.0, mail.id, from.email.domain());
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.clone())
        .date(written)
        .message_id(Some(name));
    if let Some(reply_to) = reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    // Nobody's absence is to be answered.
    for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
        if let Ok(name) = HeaderName::new_from_ascii(name.to_owned()) {
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
    }
    builder.multipart(MultiPart::alternative_plain_html(plain, html)).map_err(|error| error.to_string())
}
