//! Makes the books, in the order things happened, with the tables' indexes made at the end.

use std::collections::HashMap;

use domain::account::{Account, AccountSettings, AccountState, Email};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::{CauseKind, Cost, LedgerAccount, Posting, TransferCode};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::price::Destination;
use domain::product::Product;
use gateway::Base;
use gateway::clock::{day_of, days_before, start_of_day, thirty_days};
use storage::db::{Bulk, Kind, Value};
use storage::messages::levels_text;
use storage::prices::{self, NewRow};
use storage::rollups::Paths;
use storage::statistics::{Counts, Line, Tally};
use storage::{Result, Tx, accounts, counters, ledger, statistics};

/// Accounts right below the main one.
const BRANCHES: usize = 19_500;
/// Accounts below the first fifty of those.
const DEPARTMENTS: usize = 500;
/// Messages of a request at the most; 1.75 on average.
const REQUEST: [usize; 4] = [1, 1, 1, 4];
const DAYS: i64 = 365;
const COUNTRIES: [(&str, i64, u64); 6] = [
    ("DE", 491_510_000_000, 75_000),
    ("DE", 491_600_000_000, 75_000),
    ("DE", 491_700_000_000, 75_000),
    ("AT", 436_600_000_000, 82_000),
    ("FR", 336_000_000_000, 65_000),
    ("PL", 48_500_000_000, 31_000),
];
const LABELS: [&str; 9] =
    ["otp", "reminder", "reminder", "newsletter", "delivery", "delivery", "spring-2026", "vip", ""];
const TEXTS: [(&str, i64); 3] = [
    ("Your code is 123456. Do not share it with anybody.", 1),
    (
        "Dear customer, your parcel has arrived and waits for you until Saturday. Bring this message along. Yours, Nordlicht",
        1,
    ),
    (
        "Dear customer, we are looking forward to your visit tomorrow at half past nine. If you cannot come, please call us \
      or answer this message, so that somebody else can have your place. Yours, Nordlicht",
        2,
    ),
];
const NAMES: [&str; 8] =
    ["Filiale", "Praxis", "Autohaus", "Apotheke", "Bäckerei", "Kanzlei", "Optik", "Werkstatt"];
const TOWNS: [&str; 8] = ["Nord", "Süd", "Köln", "Essen", "Jena", "Ulm", "Hof", "Mainz"];

static MESSAGES: Bulk = Bulk::insert(
    "messages",
    &[
        ("id", Kind::Int),
        ("account_id", Kind::Int),
        ("root_id", Kind::Int),
        ("batch_id", Kind::Int),
        ("sender", Kind::Text),
        ("recipient", Kind::Int),
        ("text", Kind::Text),
        ("alphabet", Kind::Int),
        ("flash", Kind::Int),
        ("segments", Kind::Int),
        ("price", Kind::Int),
        ("promo", Kind::Int),
        ("price_row_id", Kind::Int),
        ("levels", Kind::Text),
        ("class", Kind::Int),
        ("label", Kind::Text),
        ("connection", Kind::Text),
        ("country", Kind::Text),
        ("network", Kind::Text),
        ("validity_minutes", Kind::Int),
        ("created_at", Kind::Int),
        ("send_at", Kind::Int),
        ("status", Kind::Int),
        ("carrier", Kind::Text),
        ("submitted_at", Kind::Int),
        ("report", Kind::Int),
        ("report_at", Kind::Int),
        ("done_at", Kind::Int),
    ],
    "",
);
static TRANSFERS: Bulk = Bulk::insert(
    "transfers",
    &[
        ("id", Kind::Int),
        ("cause_kind", Kind::Int),
        ("cause_id", Kind::Int),
        ("place", Kind::Int),
        ("from_id", Kind::Int),
        ("to_id", Kind::Int),
        ("amount", Kind::Int),
        ("code", Kind::Int),
        ("actor", Kind::Text),
        ("reference", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);
static BALANCES: Bulk = Bulk::update("ledger_accounts", &[("id", Kind::Int)], &[("balance", Kind::Int)]);
static LOGINS: Bulk = Bulk::insert(
    "logins",
    &[
        ("id", Kind::Int),
        ("email", Kind::Text),
        ("email_folded", Kind::Text),
        ("name", Kind::Text),
        ("webauthn_id", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);
static MEMBERS: Bulk = Bulk::insert(
    "members",
    &[
        ("id", Kind::Int),
        ("account_id", Kind::Int),
        ("login_id", Kind::Int),
        ("role", Kind::Int),
        ("includes_subaccounts", Kind::Int),
        ("created_at", Kind::Int),
    ],
    "",
);

/// Chance that is the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// An account, and what a segment to each country costs it: price row, price, and what the main account
/// pays where that is less.
struct Sender {
    account: Account,
    name: String,
    label: Option<String>,
    resold: bool,
}

struct Prices {
    /// By country: the row and the amount of the standard list, and of the one that is resold.
    rows: HashMap<&'static str, [(i64, i64); 2]>,
}

struct Books {
    balances: HashMap<i64, i64>,
    transfers: Vec<(CauseKind, i64, i64, Posting, Moment)>,
}

impl Books {
    fn post(&mut self, kind: CauseKind, id: i64, postings: &[Posting], at: Moment) {
        for (place, posting) in (0..).zip(postings) {
            *self.balances.entry(posting.from.id()).or_default() -= posting.amount.0;
            *self.balances.entry(posting.to.id()).or_default() += posting.amount.0;
            self.transfers.push((kind, id, place, *posting, at));
        }
    }

    async fn write(&mut self, tx: &mut Tx) -> Result<()> {
        let first = counters::draw(tx, "transfer", self.transfers.len() as i64).await?;
        let mut cells: Vec<Value<'_>> = Vec::with_capacity(self.transfers.len() * 11);
        for (id, (kind, cause, place, posting, at)) in (first..).zip(&self.transfers) {
            cells.extend([id, *kind as i64, *cause, *place].map(Value::Int));
            cells.extend(
                [posting.from.id(), posting.to.id(), posting.amount.0, posting.code.code()].map(Value::Int),
            );
            cells.extend([Value::Text("key 1"), Value::Text(""), Value::Int(at.0)]);
        }
        tx.bulk(&TRANSFERS, &cells).await?;
        drop(cells);
        self.transfers.clear();
        Ok(())
    }
}

pub async fn fill(base: &Base, messages: i64) -> Result<()> {
    let db = &base.db;
    let now = base.clock.now();
    let today = day_of(now, &base.rules.time_zone);
    let indexes = drop_indexes(base).await?;
    let mut tx = db.begin().await?;
    let prices = prices(&mut tx).await?;
    let (root, senders) = tree(&mut tx, start(base, days_before(today, DAYS))).await?;
    people(&mut tx, &root, &senders).await?;
    let mut books = Books { balances: HashMap::new(), transfers: Vec::new() };
    let fund = credit(&mut tx, &mut books, &root, &senders, start(base, days_before(today, DAYS))).await?;
    books.write(&mut tx).await?;
    tx.commit().await?;
    println!("{} accounts, {fund} transfers of credit", senders.len() + 1);
    let mut chance = Chance(2026);
    let (mut paths, mut written) = (Paths::default(), 0);
    let since = thirty_days(now, &base.rules.time_zone);
    for back in (0..DAYS).rev() {
        let day = days_before(today, back);
        let begins = start(base, day);
        // As much each day but for Sundays, and a little more every month.
        let of_day = messages * (60 + (DAYS - back) * 80 / DAYS) / 100 / DAYS;
        let mut tx = db.begin().await?;
        let until = if back == 0 { now } else { Moment(begins.0 + 86_400_000_000) };
        written += write_day(
            &mut tx,
            &mut books,
            &prices,
            &senders,
            &mut chance,
            of_day,
            day,
            begins,
            until,
            &mut paths,
            since,
        )
        .await?;
        books.write(&mut tx).await?;
        tx.commit().await?;
        db.checkpoint().await?;
        if back % 30 == 0 {
            println!("{day}: {written} messages");
        }
    }
    let mut tx = db.begin().await?;
    let cells: Vec<Value<'_>> =
        books.balances.iter().flat_map(|(id, balance)| [Value::Int(*id), Value::Int(*balance)]).collect();
    tx.bulk_each(&BALANCES, &cells).await?;
    tx.commit().await?;
    for index in indexes {
        let mut tx = db.begin().await?;
        tx.execute(&index, &[]).await?;
        tx.commit().await?;
        db.checkpoint().await?;
    }
    Ok(())
}

fn start(base: &Base, day: i64) -> Moment {
    start_of_day(day, &base.rules.time_zone).unwrap_or(Moment(0))
}

/// Takes the indexes of the large tables away, and says how to make them again.
async fn drop_indexes(base: &Base) -> Result<Vec<String>> {
    let sql = if base.db.is_shared() {
        "select indexname, indexdef from pg_indexes where tablename in ('messages', 'transfers')
            and indexname not like '%_pkey'"
    } else {
        "select name, sql from sqlite_master where type = 'index' and tbl_name in ('messages', 'transfers')
            and sql is not null"
    };
    let mut tx = base.db.begin().await?;
    let mut made = Vec::new();
    for row in tx.query(sql, &[]).await? {
        tx.execute(&format!("drop index {}", row.text(0)?), &[]).await?;
        made.push(row.text(1)?);
    }
    tx.commit().await?;
    Ok(made)
}

async fn prices(tx: &mut Tx) -> Result<Prices> {
    let mut rows: HashMap<&'static str, [(i64, i64); 2]> = HashMap::new();
    for (place, name, margin) in [(0, prices::STANDARD, 0), (1, "retail", 15_000)] {
        let list = prices::by_name_or_new(tx, name, Moment(0)).await?;
        let mut new: Vec<NewRow> = Vec::new();
        for (country, _, price) in COUNTRIES {
            let destination = Destination {
                product: Product::Sms,
                country: domain::phone_number::Country::parse(country),
                network: String::new(),
            };
            if new.iter().all(|row| row.destination != destination) {
                let price = Credits(price as i64 + margin);
                new.push(NewRow {
                    destination,
                    price: Some(price),
                    effective_from: Some(Moment(0)),
                    comment: String::new(),
                });
            }
        }
        prices::store(tx, list.id, &new, &domain::actor::Actor::command_line(), Moment(0)).await?;
        for (row, _) in prices::rows(tx, list.id).await? {
            let country = COUNTRIES.iter().map(|(country, ..)| *country);
            for country in country.filter(|c| row.destination.country.is_some_and(|of| of.as_str() == *c)) {
                rows.entry(country).or_default()[place] = (row.id.0, row.price.map_or(0, |price| price.0));
            }
        }
    }
    Ok(Prices { rows })
}

async fn new_account(
    tx: &mut Tx,
    above: Option<&Account>,
    company: &str,
    mailbox: &str,
    at: Moment,
) -> Result<Account> {
    let id = accounts::draw_id(tx).await?;
    let mut path = above.map_or(Vec::new(), |above| above.path.clone());
    path.push(id);
    let account = Account {
        id,
        parent: above.map(|above| above.id),
        path,
        company: Some(company.to_owned()),
        owner: "Kim Muster".to_owned(),
        email: Email::parse(&format!("{mailbox}@example.com"))
            .map_err(|error| storage::Error::Unsupported(error.to_string()))?,
        state: AccountState::Active,
        state_reason: None,
        credit_line: Credits::ZERO,
        price_list: None,
        shared_wallet: None,
        auto_transfer: None,
        settings: AccountSettings {
            reload_lock: true,
            signing_key: "bench".to_owned(),
            ..AccountSettings::default()
        },
        created_at: at,
    };
    ledger::open(tx, id, Credits::ZERO).await?;
    accounts::insert(tx, &account).await?;
    Ok(account)
}

async fn tree(tx: &mut Tx, at: Moment) -> Result<(Account, Vec<Sender>)> {
    let root = new_account(tx, None, "Nordlicht Group", "owner", at).await?;
    let retail = prices::by_name_or_new(tx, "retail", at).await?;
    let mut senders: Vec<Sender> = Vec::with_capacity(BRANCHES + DEPARTMENTS);
    for i in 0..BRANCHES + DEPARTMENTS {
        let above = if i < BRANCHES { &root } else { &senders[(i - BRANCHES) / 10].account };
        let name = format!("{} {} {i:05}", NAMES[i % 8], TOWNS[i / 8 % 8]);
        let mut account = new_account(tx, Some(above), &name, &format!("branch{i}"), at).await?;
        let resold = i < BRANCHES && i % 5 == 0;
        if resold {
            accounts::set_price_list(tx, account.id, Some(retail.id), false).await?;
            account.price_list = Some(retail.id);
        }
        if i % 97 == 96 {
            accounts::set_state(tx, account.id, AccountState::Suspended, Some("operator: unpaid"), at)
                .await?;
        }
        // Departments pay what the account above them pays, and below one that is resold to they are
        // resold to as well.
        let resold = resold || i >= BRANCHES && senders[(i - BRANCHES) / 10].resold;
        let label = (i % 3 == 0).then(|| format!("branch-{i}"));
        let name = if i % 5 < 3 { format!("Nord{i}") } else { "Nordlicht".to_owned() };
        senders.push(Sender { account, name, label, resold });
    }
    Ok((root, senders))
}

async fn people(tx: &mut Tx, root: &Account, senders: &[Sender]) -> Result<()> {
    let names: Vec<[String; 2]> =
        (0..=senders.len()).map(|i| [format!("person{i}@example.com"), format!("bench-{i}")]).collect();
    let first = counters::draw(tx, "id", names.len() as i64 * 3).await?;
    let mut cells = Vec::new();
    for (i, [email, webauthn]) in (0..).zip(&names) {
        cells.extend([
            Value::Int(first + i),
            email.into(),
            email.into(),
            "Kim Muster".into(),
            webauthn.into(),
            Value::Int(0),
        ]);
    }
    tx.bulk(&LOGINS, &cells).await?;
    let mut cells = Vec::new();
    let accounts = std::iter::once(root).chain(senders.iter().map(|sender| &sender.account));
    let mut id = first + names.len() as i64;
    for (i, account) in (0..).zip(accounts) {
        // Every owner, and a second member in every third account.
        for (login, role) in
            [(i, 0), ((i + 1) % names.len() as i64, 4)].into_iter().take(if i % 3 == 0 { 2 } else { 1 })
        {
            cells.extend([id, account.id.0, first + login, role, 0, 0].map(Value::Int));
            id += 1;
        }
    }
    tx.bulk(&MEMBERS, &cells).await
}

/// Credit enters at the top and is handed down.
async fn credit(
    tx: &mut Tx,
    books: &mut Books,
    root: &Account,
    senders: &[Sender],
    at: Moment,
) -> Result<usize> {
    let mut request = counters::draw(tx, "id", senders.len() as i64 + 1).await?;
    let mut post = |from, to, amount, code| {
        books.post(CauseKind::Request, request, &[Posting { from, to, amount: Credits(amount), code }], at);
        request += 1;
    };
    let wallet = |account: &Account| LedgerAccount::Wallet(account.id);
    post(LedgerAccount::PaymentClearing, wallet(root), 90_000_000_000_000, TransferCode::Grant);
    for (i, sender) in senders.iter().enumerate() {
        // What a year costs, and a week more or less.
        let share = 2.0 * (senders.len() as f64 / (i as f64 + 1.0)).ln() + 0.2;
        let amount = (share * 70_000_000.0) as i64 + 500_000_000;
        post(wallet(root), wallet(&sender.account), amount, TransferCode::Transfer);
    }
    Ok(senders.len() + 1)
}

#[expect(clippy::too_many_arguments, reason = "one step of fill(), apart for reading")]
async fn write_day(
    tx: &mut Tx,
    books: &mut Books,
    prices: &Prices,
    senders: &[Sender],
    chance: &mut Chance,
    messages: i64,
    day: i64,
    begins: Moment,
    until: Moment,
    paths: &mut Paths,
    since: i64,
) -> Result<i64> {
    let mut tally = Tally::new();
    let mut rows: Vec<Value<'_>> = Vec::new();
    let mut id = counters::draw(tx, "message", messages + 8).await?;
    let first = id;
    let mut texts: Vec<Option<String>> = Vec::new();
    let mut drafts = Vec::new();
    let span = until.0 - begins.0;
    while id - first < messages {
        let at = Moment(begins.0 + span / (messages + 8) * (id - first));
        // Two chances multiplied: a few accounts send most.
        let who = chance.below(senders.len()) * chance.below(senders.len()) / senders.len();
        let count = REQUEST[chance.below(REQUEST.len())];
        let (country, numbers, _) = COUNTRIES[chance.below(COUNTRIES.len())];
        let (text, segments) = TEXTS[chance.below(TEXTS.len())];
        let label = LABELS[chance.below(LABELS.len())];
        let sender = &senders[who];
        let label = match &sender.label {
            Some(own) if chance.below(2) == 0 => own.as_str(),
            _ => label,
        };
        let [(row, price), (retail_row, retail)] = prices.rows[country];
        let (row, unit) = if sender.resold { (retail_row, retail) } else { (row, price) };
        // Everybody on the path pays the same, or the main account less.
        let by_level: Vec<(AccountId, Credits)> = sender
            .account
            .path
            .iter()
            .enumerate()
            .map(|(depth, id)| (*id, Credits(segments * if depth == 0 { price } else { unit })))
            .collect();
        let batch = id;
        let whole = Cost {
            product: Product::Sms,
            by_level: by_level.iter().map(|(id, amount)| (*id, Credits(amount.0 * count as i64))).collect(),
        };
        books.post(CauseKind::Batch, batch, &whole.charge(Credits::ZERO), at);
        let differs = sender.resold;
        for _ in 0..count {
            let fate = chance.below(1_000);
            let status = match fate {
                0..960 => MessageStatus::Delivered,
                960..985 => MessageStatus::Undelivered,
                985..992 => MessageStatus::Expired,
                992..996 => MessageStatus::Rejected,
                996..998 => MessageStatus::Unknown,
                _ => MessageStatus::Submitted,
            };
            let refused = status == MessageStatus::Rejected;
            if refused {
                let cost = Cost { product: Product::Sms, by_level: by_level.clone() };
                books.post(CauseKind::Refund, id, &cost.refund(Credits::ZERO), Moment(at.0 + 400_000));
            }
            let line = Line {
                account: sender.account.id,
                day,
                product: Product::Sms,
                country: country.to_owned(),
                network: String::new(),
                label: label.to_owned(),
                sender: sender.name.clone(),
            };
            let counts = tally.entry(line).or_default();
            counts.add(&Counts {
                accepted: 1,
                segments,
                delivered: i64::from(status == MessageStatus::Delivered),
                failed: i64::from(matches!(
                    status,
                    MessageStatus::Undelivered | MessageStatus::Expired | MessageStatus::Rejected
                )),
                cost: Credits(unit * segments),
                refunds: Credits(if refused { unit * segments } else { 0 }),
                last_at: at,
            });
            let recipient = numbers + chance.below(20_000_000) as i64;
            texts.push(differs.then(|| levels_text(&by_level)));
            drafts.push((
                id,
                who,
                batch,
                recipient,
                text,
                segments,
                unit * segments,
                row,
                label,
                country,
                at,
                status,
            ));
            id += 1;
        }
    }
    for (draft, levels) in drafts.iter().zip(&texts) {
        let (id, who, batch, recipient, text, segments, price, row, label, country, at, status) = *draft;
        let sender = &senders[who];
        rows.extend([id, sender.account.id.0, sender.account.root().0, batch].map(Value::Int));
        rows.extend([Value::from(&sender.name), Value::Int(recipient), text.into()]);
        rows.extend([0, 0, segments, price, 0, row].map(Value::Int));
        rows.extend([
            levels.as_ref().into(),
            Value::Int(1),
            if label.is_empty() { Value::Null } else { label.into() },
        ]);
        rows.extend([Value::Text("http"), country.into(), Value::Text(""), Value::Int(2_880)]);
        rows.extend([at.0, at.0, status.code()].map(Value::Int));
        let taken = status != MessageStatus::Rejected;
        let ended = status.is_final();
        rows.extend([if taken { Value::Text("alpha") } else { Value::Null }]);
        rows.push(if taken { Value::Int(at.0 + 90_000) } else { Value::Null });
        let report = match status {
            MessageStatus::Delivered => Some(3),
            MessageStatus::Undelivered => Some(4),
            MessageStatus::Expired => Some(5),
            MessageStatus::Rejected => Some(6),
            MessageStatus::Unknown => Some(8),
            _ => None,
        };
        rows.push(report.into());
        let ended = ended.then_some(at.0 + 4_000_000);
        rows.push(ended.into());
        rows.push(ended.into());
    }
    tx.bulk(&MESSAGES, &rows).await?;
    statistics::add(tx, &tally, paths, since).await?;
    Ok(id - first)
}
