# The words of mails, in English. A file of another language has the same messages; parts of one are
# separated by an empty line. Values are names, dates and amounts, ready to be read.

link-help = If the button does not work, open this address:
from = Sent by the SMS platform at { $home }
decimal-sign = .
moment = { $day } { $month } { $year }, { $clock } { $zone }
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December

role-owner = owner
    .may = everything
role-administrator = administrator
    .may = everything except closing the account and handing it over
role-developer = developer
    .may = API keys and the log of requests; no message contents, no money
role-finance = finance
    .may = credits, prices and statistics; no messages, no keys
role-messaging = messaging
    .may = send messages and read the journal; no keys, no money
role-analyst = analyst
    .may = statistics only
role-auditor = auditor
    .may = read everything but secrets, change nothing

factor-app-added = An authenticator app was added.
factor-app-removed = The authenticator app was removed.
factor-passkey-added = A passkey was added.
factor-passkey-removed = A passkey was removed.
factor-codes-renewed = New recovery codes were created. The old ones no longer work.
factor-code-used = A recovery code was used to sign in. It works only once.
factor-reset = The operator of this platform removed all second factors of your login.

transfer-not-covered = { $above } holds less than { $amount }.
transfer-ceiling = The limit for automatic transfers of the day or month is reached.

fact-account = Account
fact-number = Number
fact-role = Your role
fact-may = You can use
fact-when = When
fact-browser = Browser
fact-address = IP address
fact-who = Who
fact-from = From
fact-to = To
fact-until = Until
fact-reason = Reason
fact-by = By
fact-amount = Amount

invitation =
    .subject = { $inviter } invites you to { $account }
    .preview = Join as { $role }. The invitation is valid until { $expires }.
    .heading = Join { $account }
    .text = { $inviter } invites you to the SMS account of { $account }.
    .button = Accept the invitation
    .note = The invitation is for you alone and is valid until { $expires }. If you do not know { $inviter }, ignore this mail and nothing happens.
    .why = You get this because { $inviter } entered your address.

welcome =
    .subject = Welcome to { $account }
    .preview = Your access is ready. You are { $role }.
    .heading = Welcome to { $account }
    .text = Your access is ready. You are { $role } of this account and sign in with this address.
    .button = Open the account
    .note = We recommend a second factor: a passkey or an authenticator app. You set it up under your profile, in a minute.
    .why = You get this because you are now a member of { $account }.

password-reset =
    .subject = Choose a new password
    .preview = The link works once, until { $expires }.
    .heading = Choose a new password
    .text = Somebody, most likely you, asked for a new password for this address.
    .button = Choose a password
    .note = The link works once, until { $expires }.

        If it was not you, ignore this mail. Your password stays as it is.
    .why = You get this because a new password was asked for with your address.

address-change =
    .subject = Confirm your new address
    .preview = From then on you sign in with { $new }.
    .heading = Confirm your new address
    .text = You want to sign in with { $new } from now on. Please confirm that the address is yours.
    .button = Confirm the address
    .note = The link works once, until { $expires }. If you did not ask for this, ignore this mail and nothing changes.
    .why = You get this because somebody entered this address as their new one.

address-changed =
    .subject = Your address was changed
    .preview = You now sign in with { $new }.
    .heading = Your address was changed
    .text = You now sign in with { $new }. This address is no longer connected to your login.
    .button = Look at your login
    .note = If it was not you, tell the operator of this platform at once: somebody else has your login.
    .why = You get this because your login had this address until now.

new-sign-in =
    .subject = New sign-in to your login
    .preview = From a browser that you have not used here before.
    .heading = New sign-in
    .text = Somebody signed in with your login from a browser that was not used here before.
    .button = Look at your sessions
    .note = If it was you, there is nothing to do. If not, end the session and change your password now.
    .why = You get this for the safety of your login.

second-factor-changed =
    .subject = Your second factor was changed
    .preview = { $what }
    .heading = Your second factor was changed
    .text = { $what }
    .button = Look at your login
    .note = If it was not you, change your password now and check your second factors.
    .why = You get this for the safety of your login.

password-changed =
    .subject = Your password was changed
    .preview = All other sessions were signed out.
    .heading = Your password was changed
    .text = Your password was changed. All other browsers were signed out.
    .button = Look at your login
    .note = If it was not you, choose a new password now with “Forgot password” on the sign-in page and tell the operator of this platform.
    .why = You get this for the safety of your login.

sessions-ended =
    .subject = You were signed out of other browsers
    .preview = Somebody who is signed in with your login ended other sessions.
    .heading = Signed out of other browsers
    .text = Somebody who is signed in with your login ended other sessions of it.
    .button = Look at your sessions
    .note = If it was not you, change your password now and check your second factors.
    .why = You get this for the safety of your login.

provider-linked =
    .subject = You can sign in another way
    .preview = From now on { $provider } signs you in.
    .heading = A new way to sign in
    .text = From now on you can sign in with your login at { $provider }.
    .button = Look at your login
    .note = If it was not you, take this way away again and change your password now.
    .why = You get this for the safety of your login.

provider-unlinked =
    .subject = A way to sign in was taken away
    .preview = { $provider } no longer signs you in.
    .heading = A way to sign in was taken away
    .text = You can no longer sign in with your login at { $provider }. Your other ways to sign in stay as they are.
    .button = Look at your login
    .note = If it was not you, change your password now and check your second factors.
    .why = You get this for the safety of your login.

visit-began =
    .subject = { $visitor } is working in { $account }
    .preview = From { $above }, until { $until }.
    .heading = A visit from { $above }
    .text = { $visitor } from { $above } stepped into your account. What they do there is in your audit log.
    .button = Open the audit log
    .note = You want to be asked before? Change it under Settings, Access.
    .why = You get this because { $account } has chosen to be told of visits.

access-asked =
    .subject = { $visitor } asks for access to { $account }
    .preview = Decide whether { $above } may step in.
    .heading = May { $above } step in?
    .text = { $visitor } from { $above } asks for access to your account. Until you say yes, they see no messages and change nothing.
    .button = Decide
    .note = A yes counts for a limited time that you choose, and you can take it back.
    .why = You get this because you are the owner of { $account }.

access-granted =
    .subject = You may step into { $account }
    .preview = Until { $until }.
    .heading = You may step into { $account }
    .text = { $by } has said yes, until { $until }. What you do there is in the audit log of the account.
    .button = Step in
    .note = The access can be taken back at any time.
    .why = You get this because you asked for access.

access-refused =
    .subject = No access to { $account }
    .preview = { $by } has said no.
    .heading = No access to { $account }
    .text = { $by } has said no to your request. You still see the balance, the credits and the statistics of the account.
    .button = Open the account
    .note = Talk to each other before you ask again.
    .why = You get this because you asked for access.

glass-broken =
    .subject = Emergency access to { $account }
    .preview = { $visitor } stepped in without being asked in, until { $until }.
    .heading = Emergency access to { $account }
    .text = { $visitor } from { $above } stepped into your account without waiting for your yes. An owner above may do so in an emergency and must say why.
    .button = See what was done
    .note = Everything that is done is in your audit log, with name and time.
    .why = You get this because { $account } wants to be asked before anybody steps in.

ownership-offered =
    .subject = Shall { $account } be yours?
    .preview = { $by } wants to hand the account over to you.
    .heading = Shall { $account } be yours?
    .text = { $by } wants to hand the ownership of { $account } over to you. You would answer for the account and decide who else may use it.
    .button = Look at the offer
    .note = Nothing changes until you say yes. The offer ends on { $expires }.
    .why = You get this because you are a member of { $account }.

ownership-changed =
    .subject = { $to } now owns { $account }
    .preview = The ownership was handed over by { $from }.
    .heading = { $account } has a new owner
    .text = { $from } handed the ownership over to { $to }, who accepted it.
    .button = Open the account
    .note = { $from } remains an administrator until somebody changes it.
    .why = You get this because the ownership of { $account } changed.

account-suspended =
    .subject = { $account } is suspended
    .preview = It cannot send any messages for now.
    .heading = { $account } is suspended
    .text = The account and those below it cannot send messages for now. You can still sign in, read and export everything.
    .button = Open the account
    .note = If you do not know why, ask whoever suspended it.
    .why = You get this because you are responsible for { $account }.

account-closing =
    .subject = { $account } will be closed
    .preview = It can be reopened until { $closes }.
    .heading = { $account } will be closed
    .text = The account no longer sends and will be closed for good on { $closes }. Until then it can be reopened, and you can export everything.
    .button = Open the account
    .note = Credit that was handed down goes back up. Credit of the account’s own is owed to whoever paid it.
    .why = You get this because you are responsible for { $account }.

automatic-transfer-failed =
    .subject = No automatic transfer to { $account }
    .preview = { $amount } did not come. { $why }
    .heading = No automatic transfer
    .text = The balance of { $account } fell below its threshold, but { $amount } could not be transferred from { $above }. { $why }
    .button = Look at the credits
    .note = When the balance is used up, messages are refused. Ask { $above } for credit. The transfer is tried again as soon as credit arrives there or the limit begins anew.
    .why = You get this because you look after the credits of { $account }.

automatic-transfer-failed-above =
    .subject = No automatic transfer to { $account }
    .preview = { $amount } did not go out. { $why }
    .heading = No automatic transfer
    .text = The balance of { $account } fell below its threshold, but { $amount } could not be transferred from { $above }. { $why }
    .button = Look at the credits
    .note = When its balance is used up, the messages of { $account } are refused. The transfer is tried again as soon as you have credit or the limit begins anew.
    .why = You get this because you look after the credits of { $above }.

shared-wallet-empty =
    .subject = Messages of { $account } are refused
    .preview = The wallet it shares does not hold their price.
    .heading = Messages are refused
    .text = { $account } sends on the wallet of { $above }, and that wallet does not hold the price of the messages any more. They are refused and cost nothing.
    .button = Look at the credits
    .note = Ask { $above } for credit. Messages go out again as soon as it arrives there.
    .why = You get this because you look after the credits of { $account }.

shared-wallet-empty-above =
    .subject = Messages of { $account } are refused
    .preview = Your wallet does not hold their price.
    .heading = Messages are refused
    .text = { $account } sends on the wallet of { $above }, and that wallet does not hold the price of the messages any more. They are refused and cost nothing.
    .button = Look at the credits
    .note = Messages go out again as soon as there is credit.
    .why = You get this because you look after the credits of { $above }.

limit-fuller =
    .subject = { $account } has used { $share } % of a limit
    .preview = { $what }: { $share } % is used.
    .heading = { $share } % of a limit is used
    .text = { $account } has used { $share } % of what it may: { $what }. When all of it is used, further messages are refused until it begins anew.
    .button = Look at the limits
    .note = People of { $setter } can raise it.
    .why = You get this because you look after the credits of { $account }.

limit-fuller-above =
    .subject = { $account } has used { $share } % of a limit
    .preview = { $what }: { $share } % is used.
    .heading = { $share } % of a limit is used
    .text = { $account } has used { $share } % of what it may: { $what }. When all of it is used, its messages are refused until it begins anew.
    .button = Look at the limits
    .note = You can raise it.
    .why = You get this because { $setter } has set the limit and you look after its credits.

limit-full =
    .subject = { $account } has reached a limit
    .preview = { $what }: all of it is used.
    .heading = A limit is reached
    .text = { $account } has used all it may: { $what }. Messages that do not fit any more are refused, and not charged, until it begins anew.
    .button = Look at the limits
    .note = People of { $setter } can raise it.
    .why = You get this because you look after the credits of { $account }.

limit-full-above =
    .subject = { $account } has reached a limit
    .preview = { $what }: all of it is used.
    .heading = A limit is reached
    .text = { $account } has used all it may: { $what }. Its messages that do not fit any more are refused, and not charged, until it begins anew.
    .button = Look at the limits
    .note = You can raise it.
    .why = You get this because { $setter } has set the limit and you look after its credits.

limit-spend-day = spending a day
limit-spend-month = spending a month
limit-messages-hour = messages an hour
limit-messages-day = messages a day
fact-limit = Limit
fact-most = Allowed
fact-used = Used
fact-country = Country
fact-label = Label
