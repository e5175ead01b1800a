//! Price lists as their owners keep them: by hand and from files, with what a file does told before, on both
//! engines.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod house;

use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::PriceListId;
use domain::message::MessageClass;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::Destination;
use domain::product::Product;
use gateway::prices::{self, Applied, Choice, ImportError, Kind, ListError, NewRow};
use gateway::{Base, Clock};
use house::{NOW, account, base, one, sent, simulated, sound};

fn actor() -> Actor {
    Actor::command_line()
}

fn germany(network: &str, price: Option<i64>) -> NewRow {
    NewRow {
        destination: Destination {
            product: Product::Sms,
            country: Country::parse("DE"),
            network: network.into(),
        },
        price: price.map(Credits),
        effective_from: None,
        comment: "why".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_made_changed_renamed_copied_and_removed_by_its_owner_alone() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let branch = account(&base, "branch", Some(&main), 0).await;
        let foreign = account(&base, "foreign", None, 0).await;
        let owner = Some(main.id);
        let list = prices::create(&base, owner, " agency ", None, &actor()).await.unwrap();
        assert_eq!((list.owner, list.name.as_str()), (owner, "agency"));
        let taken = prices::create(&base, owner, "agency", None, &actor()).await.unwrap_err();
        assert!(matches!(taken, ListError::NameTaken(_)), "{taken:?}");
        let set =
            async |row: &NewRow, allow| prices::change(&base, (owner, list.id), row, allow, &actor()).await;
        assert!(set(&germany("", Some(90_000)), false).await.unwrap());
        assert!(!set(&germany("", Some(90_000)), false).await.unwrap(), "it was just so");
        prices::choose(&base, &main, branch.id, &Choice::List(list.id), false, &actor()).await.unwrap();
        // Below the 75,000 that the main account pays.
        let loss = set(&germany("26201", Some(60_000)), false).await.unwrap_err();
        assert!(matches!(loss, ListError::BelowCost(_)), "{loss:?}");
        assert!(set(&germany("26201", Some(60_000)), true).await.unwrap());
        base.clock.set(Moment(NOW.0 + 120_000_000));
        assert!(set(&germany("26201", None), false).await.unwrap(), "the network's price ends");
        let open = prices::open(&base, owner, list.id).await.unwrap().unwrap();
        assert_eq!((open.rows.len(), open.holders, open.accounts.len()), (3, 1, 1));
        // Nobody else has it, not the operator either.
        for other in [Some(branch.id), Some(foreign.id), None] {
            assert!(prices::open(&base, other, list.id).await.unwrap().is_none());
            let refused = prices::rename(&base, other, list.id, "mine", &actor()).await.unwrap_err();
            assert!(matches!(refused, ListError::NotFound), "{refused:?}");
            let row = germany("", Some(1));
            let refused = prices::change(&base, (other, list.id), &row, true, &actor()).await.unwrap_err();
            assert!(matches!(refused, ListError::NotFound), "{refused:?}");
            let refused = prices::create(&base, other, "copy", Some(list.id), &actor()).await.unwrap_err();
            assert!(matches!(refused, ListError::NotFound), "{refused:?}");
        }
        // A copy has what counts, and not what has ended.
        let copy = prices::create(&base, owner, "copy", Some(list.id), &actor()).await.unwrap();
        let (_, file) = prices::current(&base, owner, copy.id).await.unwrap().unwrap();
        assert_eq!(file.lines().count(), 2, "{file}");
        assert!(file.contains("sms,DE,,0.09,"), "{file}");
        prices::rename(&base, owner, copy.id, "second", &actor()).await.unwrap();
        let used = prices::remove(&base, owner, list.id, &actor()).await.unwrap_err();
        assert!(matches!(used, ListError::Used(1)), "{used:?}");
        prices::remove(&base, owner, copy.id, &actor()).await.unwrap();
        let names: Vec<_> = prices::of_owner(&base, owner).await.unwrap();
        assert_eq!(names.iter().map(|one| one.list.name.as_str()).collect::<Vec<_>>(), ["agency"]);
        prices::create(&base, owner, "second", None, &actor()).await.unwrap();
        // What was changed is kept, the newest first.
        let (_, kept) = prices::history(&base, owner, list.id, None, 10).await.unwrap().unwrap();
        let told: Vec<_> = kept.iter().map(|c| (c.before.map(|p| p.0), c.after.map(|p| p.0))).collect();
        assert_eq!(told, [(Some(60_000), None), (None, Some(60_000)), (None, Some(90_000))]);
        let (_, file) = prices::history_file(&base, owner, list.id).await.unwrap().unwrap();
        assert_eq!(file.lines().count(), 4, "{file}");
        sound(&base).await;
    }
}

async fn standard(base: &Base) -> PriceListId {
    let all = prices::of_owner(base, None).await.unwrap();
    all.iter().find(|one| one.list.is_standard()).unwrap().list.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_told_for_each_line_and_account_and_applied_once() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 10_000_000).await;
        let branch = account(&base, "branch", Some(&main), 0).await;
        let team = account(&base, "team", Some(&main), 1_000_000).await;
        let gateway = simulated(&base).await;
        sent(&gateway, &main, one(1, MessageClass::Normal)).await;
        sent(&gateway, &team, one(2, MessageClass::Normal)).await;
        let list = standard(&base).await;
        let check = async |file: &str| prices::check(&base, None, list, file.as_bytes()).await;
        let wrong = check("country,price\nXX,1\nDE,x\n").await.unwrap_err();
        let ImportError::Rows(rows, 2) = wrong else { panic!("{wrong:?}") };
        assert_eq!(
            [(rows[0].line, rows[0].field), (rows[1].line, rows[1].field)],
            [(2, "country"), (3, "price")]
        );
        // The branch sells for 80,000, which the file makes less than what it pays itself.
        let own = prices::create(&base, Some(main.id), "agency", None, &actor()).await.unwrap();
        let row = germany("", Some(80_000));
        prices::change(&base, (Some(main.id), own.id), &row, false, &actor()).await.unwrap();
        prices::choose(&base, &main, branch.id, &Choice::List(own.id), false, &actor()).await.unwrap();
        let file = "country,network,price\nDE,,0.15\nLI,,0.2\nDE,26203,end\n";
        let told = check(file).await.unwrap();
        assert_eq!([Kind::Dearer, Kind::Added, Kind::Same].map(|kind| told.count(kind)), [1, 1, 1]);
        // What the main account and the team below it sent, twice as dear as 75,000 a segment.
        let of_main = told.accounts.iter().find(|one| one.account.id == main.id).unwrap();
        assert_eq!((of_main.segments, of_main.before.0, of_main.after.0), (2, 150_000, 300_000));
        assert_eq!(told.losses.len(), 1);
        assert_eq!((told.losses[0].0.id, told.losses[0].1.cost.0), (branch.id, 150_000));
        let apply = async |file: &str, token: &str, allow| {
            prices::apply(&base, (None, list), file.as_bytes(), token, allow, &actor()).await
        };
        let loss = apply(file, &told.token, false).await.unwrap_err();
        assert!(matches!(loss, ImportError::BelowCost(_)), "{loss:?}");
        let other = apply("country,price\nDE,0.01\n", &told.token, true).await.unwrap_err();
        assert!(matches!(other, ImportError::Changed), "{other:?}");
        let done = apply(file, &told.token, true).await.unwrap();
        assert!(matches!(&done, Applied::Now(done) if (done.added, done.unchanged) == (2, 1)), "{done:?}");
        assert_eq!(apply(file, &told.token, true).await.unwrap(), Applied::Before);
        let (_, kept) = prices::history(&base, None, list, None, 100).await.unwrap().unwrap();
        assert_eq!(
            kept.iter().filter(|change| change.at == NOW && change.after == Some(Credits(150_000))).count(),
            1
        );
        // Whoever was told of the list as it was is told anew.
        let stale = "country,price\nDE,0.3\n";
        base.clock.set(Moment(NOW.0 + 120_000_000));
        let before = check(stale).await.unwrap().token;
        prices::change(&base, (None, list), &germany("", Some(160_000)), true, &actor()).await.unwrap();
        let stale = apply(stale, &before, true).await.unwrap_err();
        assert!(matches!(stale, ImportError::Changed), "{stale:?}");
        gateway.stop().await;
        sound(&base).await;
    }
}
