//! A small world for tests: a tree of three with a margin, prices, messages charged and refunded,
//! free credit. All of it is made by the same functions the platform uses.

#![allow(dead_code, reason = "each test file uses a part of it")]

use domain::account::{Account, AccountSettings, AccountState, Email};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::ledger::{Cause, CauseKind, Cost, Group, LedgerAccount, Posting, TransferCode};
use domain::message::{MessageClass, MessageStatus};
use domain::moment::Moment;
use domain::phone_number::{Country, PhoneNumber};
use domain::price::Destination;
use domain::product::Product;
use storage::ledger::{self, Booked};
use storage::messages::{NewMessage, levels_text};
use storage::outbox::{self, Entry};
use storage::prices::{self, NewRow};
use storage::rollups::Paths;
use storage::statistics::{Counts, Line, Tally};
use storage::{Db, Tx, accounts, messages, promo, requests, statistics};

pub const NOW: Moment = Moment(1_780_000_000_000_000);

pub fn wallet(id: AccountId) -> LedgerAccount {
    LedgerAccount::Wallet(id)
}

pub async fn account(tx: &mut Tx, parent: Option<&Account>, email: &str) -> Account {
    let id = accounts::draw_id(tx).await.unwrap();
    let mut path = parent.map_or(Vec::new(), |p| p.path.clone());
    path.push(id);
    let account = Account {
        id,
        parent: parent.map(|p| p.id),
        path,
        company: None,
        owner: "Max Muster".into(),
        email: Email::parse(email).unwrap(),
        state: AccountState::Active,
        state_reason: None,
        credit_line: Credits::ZERO,
        price_list: None,
        shared_wallet: None,
        auto_transfer: None,
        settings: AccountSettings {
            reload_lock: true,
            signing_key: "secret".into(),
            ..AccountSettings::default()
        },
        created_at: NOW,
    };
    ledger::open(tx, id, Credits::ZERO).await.unwrap();
    accounts::insert(tx, &account).await.unwrap();
    account
}

pub fn posting(from: LedgerAccount, to: LedgerAccount, amount: i64, code: TransferCode) -> Posting {
    Posting { from, to, amount: Credits(amount), code }
}

pub async fn post(tx: &mut Tx, kind: CauseKind, id: i64, postings: Vec<Posting>) {
    let group = Group { cause: Cause { kind, id }, postings, actor: "test".into(), reference: String::new() };
    let booked = ledger::post_one(tx, &group, NOW).await.unwrap();
    assert!(matches!(booked, Booked::Now(_)), "{booked:?}");
}

pub async fn request(tx: &mut Tx, posting: Posting) {
    let id = requests::fresh(tx).await.unwrap();
    post(tx, CauseKind::Request, id, vec![posting]).await;
}

pub struct World {
    pub root: Account,
    pub child: Account,
    pub other: Account,
    /// The price row of the child.
    pub row: i64,
    /// A message of the child, queued; two segments, partly free.
    pub queued: MessageId,
    /// One that was refused and refunded.
    pub rejected: MessageId,
}

/// What the root pays for a segment, and what the child does.
pub const COST: i64 = 70_000;
pub const PRICE: i64 = 90_000;

pub async fn build(db: &Db) -> World {
    let mut tx = db.begin().await.unwrap();
    let root = account(&mut tx, None, "root@example.com").await;
    let child = account(&mut tx, Some(&root), "child@example.com").await;
    let other = account(&mut tx, None, "other@example.com").await;
    let row = |price| NewRow {
        destination: Destination {
            product: Product::Sms,
            country: Country::parse("DE"),
            network: String::new(),
        },
        price: Some(Credits(price)),
        effective_from: Some(Moment(0)),
        comment: String::new(),
    };
    let standard = prices::by_name_or_new(&mut tx, prices::STANDARD, NOW).await.unwrap();
    prices::store(&mut tx, standard.id, &[row(COST)], &Actor::command_line(), NOW).await.unwrap();
    let retail = prices::by_name_or_new(&mut tx, "retail", NOW).await.unwrap();
    prices::store(&mut tx, retail.id, &[row(PRICE)], &Actor::command_line(), NOW).await.unwrap();
    accounts::set_price_list(&mut tx, child.id, Some(retail.id), false).await.unwrap();
    let price_row = prices::rows(&mut tx, retail.id).await.unwrap()[0].0.id.0;
    for (id, amount) in [(root.id, 10_000_000), (other.id, 5_000_000)] {
        let grant = posting(LedgerAccount::PaymentClearing, wallet(id), amount, TransferCode::Grant);
        request(&mut tx, grant).await;
    }
    request(&mut tx, posting(wallet(root.id), wallet(child.id), 2_000_000, TransferCode::Transfer)).await;
    promo::insert(&mut tx, child.id, Credits(100_000), Moment(NOW.0 + 1), NOW).await.unwrap();
    let free = posting(LedgerAccount::Goodwill, LedgerAccount::Promo(child.id), 100_000, TransferCode::Promo);
    request(&mut tx, free).await;
    let mut world =
        World { root, child, other, row: price_row, queued: MessageId(0), rejected: MessageId(0) };
    world.queued = send(&mut tx, &world, 2, 100_000).await;
    promo::use_up(&mut tx, world.child.id, Credits(100_000), NOW).await.unwrap();
    world.rejected = send(&mut tx, &world, 3, 0).await;
    refund(&mut tx, &world, world.rejected, 2).await;
    tx.commit().await.unwrap();
    world
}

fn cost(world: &World, segments: i64) -> Cost {
    let by_level =
        vec![(world.root.id, Credits(COST * segments)), (world.child.id, Credits(PRICE * segments))];
    Cost { product: Product::Sms, by_level }
}

fn line(world: &World) -> Line {
    Line {
        account: world.child.id,
        day: 20_260_528,
        product: Product::Sms,
        country: "DE".into(),
        network: String::new(),
        label: String::new(),
        sender: "Branchline".into(),
    }
}

/// A message of the child with its charge, its counts and its place in the outbox.
pub async fn send(tx: &mut Tx, world: &World, segments: i64, free: i64) -> MessageId {
    let id = MessageId(storage::counters::draw(tx, "message", 1).await.unwrap());
    let cost = cost(world, segments);
    let levels = levels_text(&cost.by_level);
    let message = NewMessage {
        id,
        account: world.child.id,
        root: world.root.id,
        batch: id,
        sender: "Branchline",
        recipient: PhoneNumber::from_i64(491_701_234_567).unwrap(),
        text: "Hello",
        alphabet: 0,
        udh: None,
        flash: false,
        segments,
        price: cost.total(),
        promo: Credits(free),
        price_row: world.row,
        levels: Some(&levels),
        class: MessageClass::Normal,
        label: None,
        foreign_id: None,
        connection: "test",
        country: "DE",
        network: "",
        validity_minutes: 60,
        created_at: NOW,
        send_at: NOW,
        status: MessageStatus::Queued,
    };
    messages::insert(tx, &[message]).await.unwrap();
    let entry = Entry {
        message: id,
        root: world.root.id,
        class: MessageClass::Normal,
        due_at: NOW,
        node: outbox::NOBODY,
        attempts: 0,
    };
    outbox::insert(tx, &[entry]).await.unwrap();
    post(tx, CauseKind::Batch, id.0, cost.charge(Credits(free))).await;
    let counts = Counts { accepted: 1, segments, cost: cost.total(), last_at: NOW, ..Counts::default() };
    count(tx, counts, world).await;
    id
}

/// A message came to nothing: so many of its segments are given back.
pub async fn refund(tx: &mut Tx, world: &World, id: MessageId, segments: i64) {
    let back = cost(world, segments);
    post(tx, CauseKind::Refund, id.0, back.refund(Credits::ZERO)).await;
    let counts = Counts { failed: 1, refunds: back.total(), ..Counts::default() };
    count(tx, counts, world).await;
    tx.execute("update messages set status = 7, done_at = $2 where id = $1", &[id.0.into(), NOW.0.into()])
        .await
        .unwrap();
    tx.execute("delete from outbox where message_id = $1", &[id.0.into()]).await.unwrap();
}

async fn count(tx: &mut Tx, counts: Counts, world: &World) {
    let tally = Tally::from([(line(world), counts)]);
    statistics::add(tx, &tally, &mut Paths::default(), 20_260_429).await.unwrap();
}
