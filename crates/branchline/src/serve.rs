//! `branchline serve`: the platform at work, from opening the books to an orderly end.

use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use domain::actor::Actor;
use gateway::operator::checks;
use gateway::{Base, Clock, Gateway, mail};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::books::{self, Missing, Only};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{Common, lines};

/// How long an orderly end may take.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The bounds durations are counted between, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often what was measured is added up; between two times it takes memory.
const METRICS_PAUSE: Duration = Duration::from_secs(5);
/// How often accounts are looked at that are about to be closed, and free credit that ends.
const ACCOUNTS_PAUSE: Duration = Duration::from_secs(300);

/// How often it is looked whether a day has ended.
const DAYS_PAUSE: Duration = Duration::from_secs(60);

/// Run the platform.
#[derive(Args)]
pub struct Serve {
    /// Where to listen [default: 127.0.0.1:8077]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Serve {
    /// Serves until told to stop.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(self.listen.as_deref())?;
        log("info");
        let only = Only::server(&settings.database)?;
        let listener = bind(&settings.listen).await?;
        let base = books::base(&settings, Missing::Create, Clock::of_the_machine()).await?;
        books::seal(&settings, &base).await?;
        tracing::info!(database = settings.database_shown(), carriers = ?settings.carriers, "started");
        let output = common.output();
        let set_up = gateway::set_up::link(&base).await?;
        let links = base.clone();
        serve(&settings, base, listener, |address| {
            let (mut object, mut words) =
                (json!({ "listening": address }), format!("listening on {address}"));
            if let Some(path) = set_up {
                let url = links.link(&path);
                words.push_str(&format!(
                    "\nnobody can sign in yet; begin at {url} (works once, for 24 hours)"
                ));
                object["set_up"] = json!(url);
            }
            output.say(&object, &words);
        })
        .await?;
        drop(only);
        Ok(())
    }
}

/// Opens the port.
///
/// # Errors
/// In words that say what to do when it is taken.
pub async fn bind(address: &str) -> Result<TcpListener> {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    TcpListener::bind(address).await.map_err(|error| {
        let (code, message) = match error.kind() {
            AddrInUse => (
                "port_in_use",
                format!("{address} is in use by another program; stop it, or choose another address with --listen"),
            ),
            AddrNotAvailable => {
                ("bad_address", format!("this machine has no address {address}; choose one it has, or 0.0.0.0"))
            }
            PermissionDenied => (
                "port_not_allowed",
                format!("{address} may not be opened ({error}); use a port above 1023, or give this program the right"),
            ),
            _ => ("bad_address", format!("{address} cannot be opened: {error}")),
        };
        Failure::field(code, "listen", message).into()
    })
}

/// Runs the gateway and its API on the listener until a signal comes, and ends in order.
/// `listening` is told the address once it answers.
pub async fn serve(
    settings: &Settings,
    base: Base,
    listener: TcpListener,
    listening: impl FnOnce(&str),
) -> Result<()> {
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| builder.install_recorder())
        .context("the metrics could not be set up")?;
    let stopping = signals()?;
    let workers = [
        tokio::spawn(look_after_metrics(metrics.clone())),
        tokio::spawn(look_after_accounts(base.clone())),
        tokio::spawn(look_after_what_is_kept(base.clone())),
        tokio::spawn(look_after_days(base.clone())),
    ];
    let address = listener.local_addr()?;
    base.reached_at(&books::own_url(&address.to_string()));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mails = tokio::spawn(mail::post::run(base.clone(), post(settings), stopped.clone()));
    let lines = lines::of(&settings.carriers);
    let gateway = Gateway::start(base, lines, settings.routes.clone()).await?;
    let nightly = tokio::spawn(look_after_books(gateway.clone()));
    let address = format!("http://{address}");
    let options = api::Options { metrics: Some(Arc::new(move || metrics.render())), ..settings.api.clone() };
    let mut told = stopped.clone();
    let console = web::Options { public_urls: settings.public_urls.clone() };
    let is_https = console.is_https();
    let doors = api::router(gateway.clone(), options.clone()).merge(web::router(gateway.clone(), console));
    let doors = web::security::with_headers(doors, is_https);
    let api = tokio::spawn(api::serve_router(listener, doors, options, async move {
        let _ = told.wait_for(|stop| *stop).await;
    }));
    listening(&address);
    let lost = tokio::select! {
        () = stopping => false,
        () = gateway.lost() => true,
    };
    tracing::info!("stopping");
    let end = async {
        stop.send_replace(true);
        // Streams of events would keep their connections open.
        gateway.end_looking();
        let served = api.await;
        nightly.abort();
        for worker in workers {
            worker.abort();
        }
        gateway.stop().await;
        if let Err(error) = mails.await {
            tracing::error!(%error, "the worker that sends mails failed");
        }
        served
    };
    match tokio::time::timeout(STOP_WITHIN, end).await {
        Ok(served) => {
            served??;
            tracing::info!("stopped");
        }
        // Nothing is lost by it: what was accepted is stored, and the next start goes on from there.
        Err(_) => tracing::warn!("not everything ended in time; the next start takes over"),
    }
    if lost {
        let message = "this server was away from the database for too long and another one took its work over; \
            start it again";
        return Err(Failure::new("taken_over", message).into());
    }
    Ok(())
}

/// The way mails leave. Says so once where there is none.
fn post(settings: &Settings) -> mail::post::Post {
    let folder = settings.data.join("mails");
    let from = match &settings.mail {
        Some(server) => {
            tracing::info!(server = server.address(), "mails leave by this server");
            server.from.clone()
        }
        None => {
            tracing::warn!(
                folder = %folder.display(),
                "no mail server is set: mails are kept in this folder and shown to the operator in the console; \
                    set one with [mail] in the settings"
            );
            mail::server::keeper()
        }
    };
    mail::post::Post { server: settings.mail.clone(), folder, from }
}

async fn look_after_metrics(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(METRICS_PAUSE).await;
        metrics.run_upkeep();
    }
}

/// Takes out what accounts keep for a time only: texts and numbers of messages, calls in the request
/// log. Several servers on the same books may do so at once: one does it.
async fn look_after_what_is_kept(base: Base) {
    loop {
        tokio::time::sleep(ACCOUNTS_PAUSE).await;
        if let Err(error) = gateway::retention::run(&base).await {
            tracing::warn!(%error, "texts and numbers could not be deleted; tried again later");
        }
        if let Err(error) = gateway::calls::forget_old(&base).await {
            tracing::warn!(%error, "the request log could not be shortened; tried again later");
        }
    }
}

/// Closes accounts whose time to be reopened is over, and takes back free credit that has ended.
/// Several servers on the same books may do so at once: the second finds it done.
async fn look_after_accounts(base: Base) {
    loop {
        tokio::time::sleep(ACCOUNTS_PAUSE).await;
        if let Err(error) = gateway::credits::end_free_credit(&base).await {
            tracing::warn!(%error, "free credit could not be ended; tried again later");
        }
        if let Err(error) = gateway::once::forget_old(&base).await {
            tracing::warn!(%error, "old answers could not be forgotten; tried again later");
        }
        if let Err(error) = gateway::works::forget_old(&base).await {
            tracing::warn!(%error, "old work could not be forgotten; tried again later");
        }
        if let Err(error) = gateway::accounts::finish_closings(&base).await {
            tracing::warn!(%error, "accounts could not be closed; tried again later");
        }
        if let Err(error) = gateway::people::tidy(&base).await {
            tracing::warn!(%error, "what is over could not be forgotten; tried again later");
        }
    }
}

/// Moves the last thirty days of all accounts on when a day has ended. Several servers on the same books
/// may do so at once.
async fn look_after_days(base: Base) {
    loop {
        if let Err(error) = gateway::subaccounts::roll(&base).await {
            tracing::warn!(%error, "the last thirty days could not be moved on; tried again in a minute");
        }
        tokio::time::sleep(DAYS_PAUSE).await;
    }
}

/// Proves the books every night. Of several servers on the same books one does it.
async fn look_after_books(gateway: Gateway) {
    let by = Actor::rule("nightly check");
    loop {
        let now = gateway.clock.now();
        tokio::time::sleep(checks::until_night(now, &gateway.rules.time_zone)).await;
        let begun = async { Ok(gateway.is_first().await? && checks::begin(&gateway, &by).await?) };
        if let Err::<bool, storage::Error>(error) = begun.await {
            tracing::warn!(%error, "the books could not be checked tonight");
        }
    }
}

/// Done when the process is told to end.
pub fn signals() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Who asks twice does not want to wait.
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    })
}

/// Writes the log to stderr: what is said above `usual`, or what `BRANCHLINE_LOG` asks for, as
/// lines for people or, with `BRANCHLINE_LOG_FORMAT=json`, as one object a line.
pub fn log(usual: &str) {
    let filter = std::env::var("BRANCHLINE_LOG").ok().filter(|f| !f.trim().is_empty());
    // What PostgreSQL remarks on at every start is nobody's business.
    let usual = &format!("{usual},tokio_postgres=warn");
    let filter = EnvFilter::try_new(filter.as_deref().unwrap_or(usual)).unwrap_or_else(|error| {
        eprintln!("branchline: BRANCHLINE_LOG: {error}; the log is as without it");
        EnvFilter::new(usual)
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only when a log was set up before.
    let _ = match std::env::var("BRANCHLINE_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().try_init(),
        _ => log.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
