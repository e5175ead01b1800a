//! By which prices accounts pay as those above set them, on both engines.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod house;

use std::sync::Arc;
use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::prices::{self, AssignError, Choice, NewMarkup, Source, Wanted};
use gateway::{Base, Clock};
use house::{NOW, account, base, import, sound};

fn markup(name: &str, percent: &str, from: Option<Moment>) -> Choice {
    Choice::Markup(NewMarkup { name: name.into(), markup: percent.parse().unwrap(), from })
}

async fn choose(base: &Base, above: &Account, of: AccountId, choice: Choice) -> Result<(), AssignError> {
    prices::choose(base, above, of, &choice, false, &Actor::command_line()).await
}

/// What is paid to Germany now, and later.
async fn paid(base: &Base, asker: &Account, of: &Account) -> (i64, Option<i64>, Vec<(i64, i64)>, Source) {
    let of = base.account(of.id).await.unwrap().unwrap();
    let wanted = Wanted { country: Country::parse("DE"), ..Wanted::default() };
    let paid = prices::paid(base, asker, &of, &wanted).await.unwrap();
    let line = &paid.lines[0];
    let coming = line.coming.iter().map(|(at, price)| (at.0, price.0)).collect();
    (line.price.0, line.cost.map(|cost| cost.0), coming, paid.source.clone())
}

struct Tree {
    main: Arc<Account>,
    branch: Arc<Account>,
    team: Arc<Account>,
    foreign: Arc<Account>,
}

async fn tree(base: &Base) -> Tree {
    let main = account(base, "main", None, 0).await;
    let branch = account(base, "branch", Some(&main), 0).await;
    let team = account(base, "team", Some(&branch), 0).await;
    let foreign = account(base, "foreign", None, 0).await;
    Tree { main, branch, team, foreign }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_markup_makes_a_list_that_others_below_may_share_and_nobody_else_has() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let Tree { main, branch, team, foreign } = tree(&base).await;
        choose(&base, &main, branch.id, markup("agencies", "20", None)).await.unwrap();
        let (price, cost, coming, source) = paid(&base, &main, &branch).await;
        assert_eq!((price, cost, coming), (90_000, Some(75_000), vec![]));
        let Source::Own(list) = source else { panic!("{source:?}") };
        assert_eq!((list.owner, list.name.as_str()), (Some(main.id), "agencies"));
        assert_eq!(list.full_name(), format!("{}/agencies", main.id));
        // The account itself is told what it pays, and neither what others pay nor by which list.
        assert_eq!(paid(&base, &branch, &branch).await, (90_000, None, vec![], Source::Untold));
        // Below it the same counts, and is told as that of the account between.
        assert_eq!(paid(&base, &main, &team).await, (90_000, Some(75_000), vec![], Source::Of(branch.id)));
        assert_eq!(paid(&base, &branch, &team).await, (90_000, Some(90_000), vec![], Source::SameAsAsker));
        // One list for several.
        let other = account(&base, "other", Some(&main), 0).await;
        choose(&base, &main, other.id, Choice::List(list.id)).await.unwrap();
        let lists = prices::of_owner(&base, Some(main.id)).await.unwrap();
        assert_eq!(lists.iter().map(|l| (&l.list, l.accounts)).collect::<Vec<_>>(), [(&list, 2)]);
        // A list is for those below its owner.
        for (asker, of) in
            [(&foreign, main.id), (&branch, main.id), (&foreign, branch.id), (&branch, branch.id)]
        {
            let refused = choose(&base, asker, of, Choice::Inherit).await.unwrap_err();
            assert!(matches!(refused, AssignError::NotFound(_)), "{refused:?}");
        }
        let not_theirs = choose(&base, &branch, team.id, Choice::List(list.id)).await.unwrap_err();
        assert!(matches!(not_theirs, AssignError::NotYours(_)), "{not_theirs:?}");
        // Names are each account's own.
        choose(&base, &branch, team.id, markup("agencies", "10", None)).await.unwrap();
        assert_eq!(paid(&base, &main, &team).await.0, 99_000);
        let taken = choose(&base, &main, team.id, markup("agencies", "50", None)).await.unwrap_err();
        assert!(taken.to_string().contains("'agencies' already"), "{taken}");
        // Back to what is above.
        choose(&base, &branch, team.id, Choice::Inherit).await.unwrap();
        choose(&base, &main, branch.id, Choice::Inherit).await.unwrap();
        assert_eq!(paid(&base, &main, &branch).await, (75_000, Some(75_000), vec![], Source::SameAsAsker));
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_have_versions_and_what_is_known_to_come_is_told() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let Tree { main, branch, .. } = tree(&base).await;
        let day = |days: u64| NOW.after(Duration::from_secs(days * 86_400));
        import(&base, "standard", "DE,0.08,2026-06-20\n", false).await;
        let raised = 1_781_913_600_000_000;
        choose(&base, &main, branch.id, markup("agencies", "100", Some(day(10)))).await.unwrap();
        let later = vec![(day(10).0, 150_000), (raised, 160_000)];
        assert_eq!(paid(&base, &branch, &branch).await, (75_000, None, later, Source::Untold));
        // A price that counts since this very moment is not changed.
        let again = choose(&base, &main, branch.id, markup("agencies", "20", None)).await.unwrap_err();
        assert!(matches!(again, AssignError::Fixed), "{again:?}");
        clock.set(Moment(NOW.0 + 1));
        // Set anew, nothing of the earlier one remains.
        choose(&base, &main, branch.id, markup("agencies", "20", None)).await.unwrap();
        assert_eq!(paid(&base, &branch, &branch).await.2, [(raised, 96_000)]);
        clock.set(day(30));
        assert_eq!(paid(&base, &main, &branch).await.1, Some(80_000));
        assert_eq!(paid(&base, &main, &branch).await.0, 96_000);
        let wanted = Wanted::default();
        let of = base.account(branch.id).await.unwrap().unwrap();
        let all = prices::paid(&base, &branch, &of, &wanted).await.unwrap();
        let csv = all.sheet(&jiff::tz::TimeZone::UTC, false).csv();
        assert!(
            csv.starts_with("country,country_name,network,network_name,effective_from,price\r\n"),
            "{csv}"
        );
        assert!(csv.contains("*,Rest of the world,,,,0.24\r\n") && !csv.contains("0.08"), "{csv}");
        // A country that pays the price of the rest of the world is found by its name.
        let japan = Wanted { search: "japan".into(), ..wanted };
        let found = prices::paid(&base, &branch, &of, &japan).await.unwrap().lines;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].country_name(), found[0].price), ("Japan", Credits(240_000)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_below_is_made_to_sell_below_cost_unless_that_is_said() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let Tree { main, branch, team, .. } = tree(&base).await;
        let refused = choose(&base, &main, branch.id, markup("cheap", "-10", None)).await.unwrap_err();
        assert!(matches!(refused, AssignError::BelowCost(_)), "{refused:?}");
        assert!(prices::of_owner(&base, Some(main.id)).await.unwrap().is_empty(), "nothing has changed");
        choose(&base, &branch, team.id, markup("team", "10", None)).await.unwrap();
        // The branch would pay more than its team does.
        let refused = choose(&base, &main, branch.id, markup("dear", "50", None)).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("account {}", team.id)), "{refused}");
        assert_eq!(paid(&base, &main, &branch).await.0, 75_000);
        let dear = markup("dear", "50", None);
        prices::choose(&base, &main, branch.id, &dear, true, &Actor::command_line()).await.unwrap();
        assert_eq!(paid(&base, &main, &branch).await.0, 112_500);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_is_called_stays_with_its_owner() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let Tree { main, branch, .. } = tree(&base).await;
        choose(&base, &main, branch.id, markup("CANARY double", "100", None)).await.unwrap();
        let mut conn = base.db.read().await.unwrap();
        let log = |of: AccountId| (of, storage::audit::Filter::default());
        let (of, filter) = log(branch.id);
        let below = storage::audit::page(&mut conn, of, &filter, None, 50).await.unwrap();
        let (of, filter) = log(main.id);
        let above = storage::audit::page(&mut conn, of, &filter, None, 50).await.unwrap();
        assert!(below.iter().any(|entry| entry.action == "prices.assign"));
        assert!(!format!("{below:?}").contains("CANARY"), "{below:?}");
        assert!(format!("{above:?}").contains("CANARY"), "{above:?}");
        // Nor can the operator take the name of a list that an account might make.
        let file = "country,price\nDE,1\n".as_bytes();
        let name = format!("{}/other", main.id);
        let refused = prices::import(&base, file, &name, false, &Actor::command_line()).await.unwrap_err();
        assert!(refused.to_string().contains("use another name"), "{refused}");
    }
}
