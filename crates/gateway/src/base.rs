//! What every operation stands on: the books, the clock, the installation's rules, and what is
//! remembered of accounts, keys and prices so that a send does not have to ask for them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use domain::account::Account;
use domain::id::{AccountId, PriceListId};
use domain::key::Key;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{Levels, PriceList};
use domain::product::Product;
use jiff::tz::TimeZone;
use storage::{Db, Result};

use crate::changes::Lookers;
use crate::clock::Clock;
use crate::limits::Held;
use crate::looks::Looks;
use crate::overview::Below;
use crate::people::{self, PeopleRules};
use crate::seal::Seal;

/// The installation's own choices.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The country of numbers written without one, where the account does not say.
    pub default_country: Country,
    /// Whose dates the statistics count by, and whose local times the wire shows.
    pub time_zone: TimeZone,
    /// The currency of all amounts, as ISO 4217 says it.
    pub currency: String,
    /// Who messages are from when neither they nor their account say.
    pub default_sender: String,
    /// How many accounts deep a tree may be.
    pub depth_max: usize,
    /// The addresses clients know this installation by, for request signatures.
    pub public_urls: Vec<String>,
}

/// The price lists as they are at some version of the books.
#[derive(Debug, Default)]
pub struct Prices {
    /// By number.
    pub lists: std::collections::HashMap<PriceListId, PriceList>,
    /// The list of main accounts that have none of their own.
    pub standard: PriceList,
}

/// Books, clock, rules and memory. Cheap to clone.
#[derive(Clone)]
pub struct Base {
    /// The books.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The installation's choices.
    pub rules: Arc<Rules>,
    memory: Arc<Memory>,
}

/// What is remembered. Everything carries the version of the books it was read at; a change of
/// accounts, keys or prices by any process makes it a new version, noticed within a second.
struct Memory {
    version: AtomicI64,
    accounts: quick_cache::sync::Cache<AccountId, (i64, Arc<Account>)>,
    keys: quick_cache::sync::Cache<String, (i64, Option<Arc<Key>>)>,
    prices: RwLock<(i64, Arc<Prices>)>,
    limits: quick_cache::sync::Cache<AccountId, (i64, Arc<Held>)>,
    own_url: OnceLock<String>,
    mail_server: OnceLock<Option<String>>,
    people: people::Held,
    lookers: Lookers,
    seal: OnceLock<Seal>,
    /// What is striking below an account, and since when that is known.
    below: quick_cache::sync::Cache<AccountId, (Moment, Below)>,
    /// Who has looked into which account from above, as it was written down.
    looks: Looks,
}

/// How many accounts and keys are remembered.
const REMEMBERED_MAX: usize = 20_000;

/// Of how many accounts it is remembered what is striking below them.
const BELOW_MAX: usize = 1_000;
/// How long that is remembered.
const BELOW_LASTS: Duration = Duration::from_secs(60);

impl Base {
    /// What is striking below an account, if that was found out a moment ago.
    pub(crate) fn below(&self, account: AccountId) -> Option<Below> {
        let (at, below) = self.memory.below.get(&account)?;
        (self.clock.now() < at.after(BELOW_LASTS)).then_some(below)
    }

    /// Remembers what is striking below an account.
    pub(crate) fn note_below(&self, account: AccountId, below: Below) {
        self.memory.below.insert(account, (self.clock.now(), below));
    }

    /// Who has looked into which account from above.
    pub(crate) fn looks(&self) -> &Looks {
        &self.memory.looks
    }

    /// The same base for a task that writes much: see [`Db::apart`].
    pub(crate) fn apart(&self) -> Result<Base> {
        Ok(Base { db: self.db.apart()?, ..self.clone() })
    }

    /// A base on opened books.
    pub async fn new(db: Db, clock: Clock, rules: Rules) -> Result<Base> {
        let memory = Memory {
            version: AtomicI64::new(-1),
            accounts: quick_cache::sync::Cache::new(REMEMBERED_MAX),
            keys: quick_cache::sync::Cache::new(REMEMBERED_MAX),
            prices: RwLock::new((-2, Arc::default())),
            limits: quick_cache::sync::Cache::new(REMEMBERED_MAX),
            own_url: OnceLock::new(),
            mail_server: OnceLock::new(),
            people: people::Held::new(REMEMBERED_MAX),
            lookers: Lookers::default(),
            seal: OnceLock::new(),
            below: quick_cache::sync::Cache::new(BELOW_MAX),
            looks: Looks::default(),
        };
        let base = Base { db, clock, rules: Arc::new(rules), memory: Arc::new(memory) };
        base.refresh().await?;
        Ok(base)
    }

    /// Looks whether accounts, keys or prices have changed; to be called every second, and after
    /// every change of one's own.
    pub async fn refresh(&self) -> Result<()> {
        let version = storage::counters::version(&mut *self.db.read().await?).await?;
        self.memory.version.store(version, Ordering::Release);
        Ok(())
    }

    /// Says where this installation is reached when its settings name no public address.
    pub fn reached_at(&self, own_url: &str) {
        // Whoever says it first is right: the address does not change while we run.
        let _ = self.memory.own_url.set(own_url.trim_end_matches('/').to_owned());
    }

    /// The whole address of a path, for mails and for what is to be copied.
    pub fn link(&self, path: &str) -> String {
        let own = self.memory.own_url.get().map_or("http://localhost:8077", String::as_str);
        let home = self.rules.public_urls.first().map_or(own, String::as_str);
        format!("{home}{path}")
    }

    /// Says by which server mails leave; nothing when there is none.
    pub fn mails_leave_by(&self, server: Option<&str>) {
        let _ = self.memory.mail_server.set(server.map(str::to_owned));
    }

    /// By which server mails leave, as `host:port`. Without one they are kept, and the console says so.
    pub fn mail_server(&self) -> Option<&str> {
        self.memory.mail_server.get()?.as_deref()
    }

    /// Says how people sign in. Whoever says it first is right.
    pub fn people_sign_in_by(&self, rules: PeopleRules) {
        let _ = self.memory.people.rules.set(rules);
    }

    /// How people sign in.
    pub fn people_rules(&self) -> &PeopleRules {
        self.memory.people.rules.get_or_init(PeopleRules::default)
    }

    /// Says what secrets are sealed by. Whoever says it first is right.
    pub(crate) fn seal_by(&self, seal: Seal) {
        let _ = self.memory.seal.set(seal);
    }

    /// What secrets are sealed by.
    ///
    /// # Errors
    /// When it was not said: see [`crate::seal::begin`].
    pub(crate) fn seal(&self) -> Result<&Seal> {
        let missing =
            || storage::Error::Fault("this process has no key for the secrets in the books".to_owned());
        self.memory.seal.get().ok_or_else(missing)
    }

    pub(crate) fn people(&self) -> &people::Held {
        &self.memory.people
    }

    pub(crate) fn lookers(&self) -> &Lookers {
        &self.memory.lookers
    }

    pub(crate) fn version(&self) -> i64 {
        self.memory.version.load(Ordering::Acquire)
    }

    /// An account, as of a second ago at most.
    pub async fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>> {
        let version = self.version();
        if let Some((seen, account)) = self.memory.accounts.get(&id)
            && seen == version
        {
            return Ok(Some(account));
        }
        let found = storage::accounts::find(&mut *self.db.read().await?, id).await?.map(Arc::new);
        if let Some(account) = &found {
            self.memory.accounts.insert(id, (version, account.clone()));
        }
        Ok(found)
    }

    /// The accounts of a path, root first.
    pub async fn path(&self, account: &Account) -> Result<Vec<Arc<Account>>> {
        let mut path = Vec::with_capacity(account.path.len());
        for id in &account.path {
            path.extend(self.account(*id).await?);
        }
        Ok(path)
    }

    /// The key whose secret has this hash, as of a second ago at most.
    pub async fn key(&self, hash: &str) -> Result<Option<Arc<Key>>> {
        let version = self.version();
        if let Some((seen, key)) = self.memory.keys.get(hash)
            && seen == version
        {
            return Ok(key);
        }
        let found = storage::keys::by_hash(&mut *self.db.read().await?, hash).await?.map(Arc::new);
        self.memory.keys.insert(hash.to_owned(), (version, found.clone()));
        Ok(found)
    }

    /// All prices, as of a second ago at most.
    pub async fn prices(&self) -> Result<Arc<Prices>> {
        let version = self.version();
        {
            let held = self.memory.prices.read().unwrap_or_else(|p| p.into_inner());
            if held.0 == version {
                return Ok(held.1.clone());
            }
        }
        let prices = Arc::new(read_prices(&self.db).await?);
        let mut held = self.memory.prices.write().unwrap_or_else(|p| p.into_inner());
        *held = (version, prices.clone());
        Ok(prices)
    }

    /// The limits that what an account sends must keep, as of a second ago at most.
    pub(crate) async fn limits(&self, account: &Account) -> Result<Arc<Held>> {
        let version = self.version();
        if let Some((seen, held)) = self.memory.limits.get(&account.id)
            && seen == version
        {
            return Ok(held);
        }
        let all = storage::limits::of(&mut *self.db.read().await?, &account.path).await?;
        let held = Arc::new(Held::of(&account.path, &all));
        self.memory.limits.insert(account.id, (version, held.clone()));
        Ok(held)
    }

    /// What a unit to a destination costs each account of a path (root first).
    pub fn levels(
        prices: &Prices,
        path: &[Arc<Account>],
        product: Product,
        country: Option<Country>,
        network: &str,
        at: Moment,
    ) -> Option<Levels> {
        let lists: Vec<_> =
            path.iter().map(|a| (a.id, a.price_list.and_then(|id| prices.lists.get(&id)))).collect();
        domain::price::levels(&lists, &prices.standard, product, country, network, at)
    }
}

async fn read_prices(db: &Db) -> Result<Prices> {
    let mut conn = db.read().await?;
    let lists = storage::prices::all(&mut conn).await?;
    let mut prices = Prices::default();
    for (list, rows) in lists {
        let rows = PriceList::of(rows);
        if list.is_standard() {
            prices.standard = rows.clone();
        }
        prices.lists.insert(list.id, rows);
    }
    Ok(prices)
}
