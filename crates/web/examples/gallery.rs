//! Every part of the console on one page, drawn from samples: `cargo run -p web --example gallery`.
//! It shows what a change of the sheet does, before any account exists.

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::{Html, Response};
use axum::routing::get;
use domain::account::AccountState;
use domain::message::MessageStatus;
use web::chart::{Chart, Kind, Series, Slot, Sparkline, Unit};
use web::error::Stop;
use web::form::{Field, Summary, Typed};
use web::page::{Shell, Theme};
use web::parts::{Badge, Copy, Empty, Figure, Pager, Progress, Tabs};
use web::{assets, page};

#[derive(Template)]
#[template(path = "gallery.html")]
struct Gallery {
    shell: Shell,
    figures: Vec<Figure>,
    bars: Chart,
    lines: Chart,
    many: Chart,
    rows: Vec<Row>,
    pager: Pager,
    tabs: Tabs,
    summary: Summary,
    fields: Vec<Field>,
    badges: Vec<Badge>,
    secret: Copy,
    curl: Copy,
    progress: Progress,
    empty: Empty,
    icons: Vec<&'static str>,
}

struct Row {
    id: i64,
    name: String,
    state: Badge,
    balance: &'static str,
    sms: &'static str,
    rate: &'static str,
    trend: Sparkline,
}

const ICONS: [&str; 46] = [
    "mark",
    "overview",
    "tree",
    "send",
    "journal",
    "statistics",
    "credits",
    "price",
    "key",
    "requests",
    "members",
    "person",
    "access",
    "audit",
    "settings",
    "operator",
    "step-in",
    "out",
    "above",
    "menu",
    "close",
    "updown",
    "down",
    "left",
    "right",
    "dots",
    "check",
    "warning",
    "info",
    "plus",
    "search",
    "filter",
    "copy",
    "download",
    "upload",
    "mail",
    "clock",
    "lock",
    "passkey",
    "phone",
    "desktop",
    "trash",
    "edit",
    "refresh",
    "transfer",
    "system",
];

fn wave(n: usize, height: i64, shift: usize) -> i64 {
    let day = ((n + shift) % 7) as i64;
    let week_end = if day >= 5 { 3 } else { 1 };
    (height + (n as i64 * 7919 + shift as i64 * 104_729) % (height / 2).max(1)) / week_end
}

fn chart(
    id: &'static str,
    title: &str,
    kind: Kind,
    count: usize,
    series: Vec<(&str, &'static str, i64)>,
) -> Chart {
    let slots = (0..count).map(|n| Slot {
        label: format!("{} Nov", n % 30 + 1),
        full: format!("{} November 2026", n % 30 + 1),
        href: (kind == Kind::Bars).then(|| format!("/?day={n}")),
    });
    let values = |height: i64, shift: usize| (0..count).map(|n| Some(wave(n, height, shift))).collect();
    let series = series.into_iter().enumerate().map(|(shift, (name, tone, height))| Series {
        name: name.into(),
        tone,
        values: values(height, shift),
    });
    Chart {
        id,
        title: title.into(),
        kind,
        unit: Unit::Count,
        slots_are: "Day",
        slots: slots.collect(),
        series: series.collect(),
        format: Shell::sample("").format,
    }
}

fn rows() -> Vec<Row> {
    let row = |id, name: &str, state: AccountState, balance, sms, rate| Row {
        id,
        name: name.into(),
        state: state.into(),
        balance,
        sms,
        rate,
        trend: Sparkline {
            label: "Sent in 30 days".into(),
            values: (0..30).map(|n| wave(n, 90, id as usize % 9)).collect(),
        },
    };
    vec![
        row(1_900_003, "Filiale Köln", AccountState::Active, "€1,204.50", "12,204", "97.4%"),
        row(
            1_900_004,
            &"Zentralverband der besonders ausführlich benannten Niederlassungen ".repeat(3),
            AccountState::Suspended,
            "€0.00",
            "0",
            "–",
        ),
        row(
            1_900_005,
            "株式会社ブランチライン東京支店営業第一部",
            AccountState::Closing,
            "−€12.50",
            "1,204,991",
            "88.1%",
        ),
        row(1_900_006, "فرع الرياض للتجارة والخدمات", AccountState::Active, "€88,204,112.10", "311", "100%"),
        row(1_900_007, "<script>alert(1)</script>", AccountState::Closed, "€3.10", "7", "71.4%"),
    ]
}

fn fields() -> Vec<Field> {
    let mut typed =
        Typed::of([("company", "Nordlicht"), ("amount", "12,5"), ("kind", "branch"), ("notify", "1")]);
    typed.wrong("amount", "'12,5' is not an amount; write it with a dot, such as 25.00");
    vec![
        typed.field("company", "Company").required().hint("As it stands on its statements."),
        typed.field("mail", "E-mail of its owner").of_type("email").example("name@example.com").required(),
        typed.field("amount", "Credits to begin with").amount("€"),
        typed.field("limit", "Spend a day, at most").after("EUR a day").keys("decimal"),
        typed
            .password("password", "Password", "new-password")
            .required()
            .hint("At least 15 characters. A sentence is easiest."),
        typed.choice("country", "Country", [("DE", "Germany"), ("FR", "France")]),
        typed.cards(
            "kind",
            "What is it?",
            [
                ("customer", "A customer", "Own data, own money, own invoice."),
                ("branch", "A branch", "Own data; credits come from here by themselves."),
                ("department", "A department", "Seen and paid from here."),
            ],
        ),
        typed.area("note", "Note").rows(3),
        typed.tick("notify", "Tell the owner by mail").hint("They get a link to choose a password."),
    ]
}

fn gallery(theme: Theme, acting: bool) -> Gallery {
    let mut shell = if acting { Shell::sample_acting("Gallery") } else { Shell::sample("Gallery") };
    shell.theme = theme;
    let two = || vec![("Delivered", "good", 900), ("Under way", "busy", 60), ("Failed", "bad", 30)];
    let mut typed = Typed::default();
    typed.wrong("amount", "no");
    Gallery {
        shell,
        figures: vec![
            Figure::new("Balance", "€1,204.50").note("about 16,060 SMS to Germany"),
            Figure::new("Lasts about", "34 days").note("at the pace of 30 days"),
            Figure::new("Sent, 30 days", "12,204").note("+8.1% on the 30 days before").tone("good").href("/"),
            Figure::new("Delivered", "97.4%").note("−1.2 points").tone("bad"),
        ],
        bars: chart("sent", "Messages a day", Kind::Bars, 30, two()),
        lines: chart("rate", "Compared with the month before", Kind::Lines, 30, vec![("This month", "", 400), ("Month before", "before", 300)]),
        many: chart("labels", "Messages by label", Kind::Bars, 60, vec![
            ("orders", "", 200), ("otp", "", 400), ("newsletter", "", 100), ("shipping", "", 150),
            ("reminders", "", 120), ("alerts", "", 80), ("returns", "", 60), ("others", "", 90),
        ]),
        rows: rows(),
        pager: Pager { first: None, previous: Some("/".into()), next: Some("/".into()), words: "1–50 of 20,000".into() },
        tabs: Tabs {
            label: "Filiale Köln".into(),
            tabs: ["Overview", "Credits", "Limits", "Prices", "Members", "Access"].iter().enumerate()
                .map(|(i, words)| ((*words).into(), "/".into(), i == 0)).collect(),
        },
        summary: typed.summary(),
        fields: fields(),
        badges: AccountState::ALL.into_iter().map(Badge::from)
            .chain((0..).map_while(MessageStatus::from_code).map(Badge::from)).collect(),
        secret: Copy { label: "API key".into(), text: "bl_live_4f0e2a8c1d7b4e6fa1c3e5b7d9f0a2c4".into(), is_block: false },
        curl: Copy {
            label: "Send by curl".into(),
            text: "curl https://sms.example.com/api/sms \\\n  -H \"X-Api-Key: bl_live_...\" \\\n  -d to=+491511234567 -d text=\"Hello\"".into(),
            is_block: true,
        },
        progress: Progress { label: "Creating accounts".into(), done: 312, of: 1200 },
        empty: Empty::new("send", "No messages yet", "What is sent from this account stands here, the newest first, with its price and its way.")
            .next("Send the first one", "/"),
        icons: ICONS.to_vec(),
    }
}

#[derive(serde::Deserialize)]
struct Choice {
    theme: Option<String>,
    acting: Option<String>,
}

async fn show(Query(choice): Query<Choice>) -> Result<Response, Stop> {
    let theme =
        Theme::ALL.into_iter().find(|t| Some(t.as_str()) == choice.theme.as_deref()).unwrap_or_default();
    page::draw(&gallery(theme, choice.acting.is_some()))
}

#[derive(Template)]
#[template(
    source = r#"{% extends "_outside.html" %}{% block content %}<h1>Sign in</h1><p class="lead">To the console of this installation.</p>
    <form method="post" class="form-rows">{% for field in fields %}{{ field }}{% endfor %}<div class="actions"><button class="button primary full" type="submit">Sign in</button></div></form>
    <div class="or">or</div><button class="button full" type="button">{{ shell.draw("passkey") }}Use a passkey</button>{% endblock %}
    {% block below %}<p class="below"><a href="/">Forgot the password?</a></p>{% endblock %}"#,
    ext = "html"
)]
struct Outside {
    shell: Shell,
    fields: Vec<Field>,
}

async fn outside(Query(choice): Query<Choice>) -> Result<Response, Stop> {
    let theme =
        Theme::ALL.into_iter().find(|t| Some(t.as_str()) == choice.theme.as_deref()).unwrap_or_default();
    let typed = Typed::default();
    let fields = vec![
        typed.field("email", "E-mail").of_type("email").required(),
        typed.password("password", "Password", "current-password").required(),
    ];
    page::draw(&Outside { shell: Shell { theme, here: None, ..Shell::sample("Sign in") }, fields })
}

async fn dialog() -> Html<&'static str> {
    Html("<main id=main><div data-panel><h1>Hand out credits</h1><p>To Filiale Köln.</p></div></main>")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(show).post(show))
        .route("/outside", get(outside))
        .route("/dialog", get(dialog))
        .route("/static/{file}", get(assets::serve));
    let router = web::security::with_headers(router, false);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8099").await?;
    println!("http://127.0.0.1:8099");
    axum::serve(listener, router).await
}
