# Die Worte der E-Mails, auf Deutsch. Jede Sprache hat dieselben Meldungen; Absätze sind durch eine
# leere Zeile getrennt. Werte sind Namen, Zeiten und Beträge, fertig zum Lesen.

link-help = Wenn die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:
from = Gesendet von der SMS-Plattform unter { $home }
decimal-sign = ,
moment = { $day }. { $month } { $year }, { $clock } Uhr { $zone }
month-1 = Januar
month-2 = Februar
month-3 = März
month-4 = April
month-5 = Mai
month-6 = Juni
month-7 = Juli
month-8 = August
month-9 = September
month-10 = Oktober
month-11 = November
month-12 = Dezember

role-owner = Inhaber
    .may = alles
role-administrator = Administrator
    .may = alles außer Schließen und Übergeben des Kontos
role-developer = Entwickler
    .may = API-Schlüssel und Protokoll der Aufrufe; keine Nachrichteninhalte, kein Geld
role-finance = Finanzen
    .may = Guthaben, Preise und Statistik; keine Nachrichten, keine Schlüssel
role-messaging = Versand
    .may = Nachrichten senden und das Journal lesen; keine Schlüssel, kein Geld
role-analyst = Analyse
    .may = nur Statistik
role-auditor = Revision
    .may = alles außer Geheimnissen lesen, nichts ändern

factor-app-added = Eine Authenticator-App wurde hinzugefügt.
factor-app-removed = Die Authenticator-App wurde entfernt.
factor-passkey-added = Ein Passkey wurde hinzugefügt.
factor-passkey-removed = Ein Passkey wurde entfernt.
factor-codes-renewed = Neue Wiederherstellungscodes wurden erstellt. Die alten gelten nicht mehr.
factor-code-used = Ein Wiederherstellungscode wurde zum Anmelden benutzt. Er gilt nur einmal.
factor-reset = Der Betreiber dieser Plattform hat alle zweiten Faktoren Ihres Zugangs entfernt.

transfer-not-covered = { $above } hat weniger als { $amount }.
transfer-ceiling = Die Obergrenze der automatischen Umbuchungen für den Tag oder Monat ist erreicht.

fact-account = Konto
fact-number = Nummer
fact-role = Ihre Rolle
fact-may = Sie nutzen
fact-when = Wann
fact-browser = Browser
fact-address = IP-Adresse
fact-who = Wer
fact-from = Von
fact-to = An
fact-until = Bis
fact-reason = Grund
fact-by = Durch
fact-amount = Betrag

invitation =
    .subject = { $inviter } lädt Sie zu { $account } ein
    .preview = Ihre Rolle: { $role }. Die Einladung gilt bis { $expires }.
    .heading = Einladung zu { $account }
    .text = { $inviter } lädt Sie in das SMS-Konto von { $account } ein.
    .button = Einladung annehmen
    .note = Die Einladung gilt nur für Sie und bis { $expires }. Wenn Sie { $inviter } nicht kennen, ignorieren Sie diese E-Mail; dann geschieht nichts.
    .why = Sie erhalten diese E-Mail, weil { $inviter } Ihre Adresse eingegeben hat.

welcome =
    .subject = Willkommen bei { $account }
    .preview = Ihr Zugang ist bereit. Ihre Rolle: { $role }.
    .heading = Willkommen bei { $account }
    .text = Ihr Zugang ist bereit. Ihre Rolle in diesem Konto: { $role }. Sie melden sich mit dieser Adresse an.
    .button = Konto öffnen
    .note = Wir empfehlen einen zweiten Faktor: einen Passkey oder eine Authenticator-App. Sie richten ihn in einer Minute in Ihrem Profil ein.
    .why = Sie erhalten diese E-Mail, weil Sie jetzt Mitglied von { $account } sind.

password-reset =
    .subject = Neues Passwort wählen
    .preview = Der Link gilt einmal, bis { $expires }.
    .heading = Neues Passwort wählen
    .text = Jemand, vermutlich Sie selbst, hat für diese Adresse ein neues Passwort angefordert.
    .button = Passwort wählen
    .note = Der Link gilt einmal, bis { $expires }.

        Wenn Sie es nicht waren, ignorieren Sie diese E-Mail. Ihr Passwort bleibt, wie es ist.
    .why = Sie erhalten diese E-Mail, weil mit Ihrer Adresse ein neues Passwort angefordert wurde.

address-change =
    .subject = Neue Adresse bestätigen
    .preview = Danach melden Sie sich mit { $new } an.
    .heading = Neue Adresse bestätigen
    .text = Sie möchten sich künftig mit { $new } anmelden. Bitte bestätigen Sie, dass die Adresse Ihnen gehört.
    .button = Adresse bestätigen
    .note = Der Link gilt einmal, bis { $expires }. Wenn Sie das nicht wollten, ignorieren Sie diese E-Mail; dann ändert sich nichts.
    .why = Sie erhalten diese E-Mail, weil jemand diese Adresse als seine neue eingegeben hat.

address-changed =
    .subject = Ihre Adresse wurde geändert
    .preview = Sie melden sich jetzt mit { $new } an.
    .heading = Ihre Adresse wurde geändert
    .text = Sie melden sich jetzt mit { $new } an. Diese Adresse gehört nicht mehr zu Ihrem Zugang.
    .button = Zugang ansehen
    .note = Wenn Sie es nicht waren, sagen Sie es sofort dem Betreiber dieser Plattform: Jemand anderes hat Ihren Zugang.
    .why = Sie erhalten diese E-Mail, weil Ihr Zugang bis jetzt diese Adresse hatte.

new-sign-in =
    .subject = Neue Anmeldung mit Ihrem Zugang
    .preview = Von einem Browser, den Sie hier noch nicht benutzt haben.
    .heading = Neue Anmeldung
    .text = Mit Ihrem Zugang hat sich jemand von einem Browser angemeldet, der hier noch nicht benutzt wurde.
    .button = Sitzungen ansehen
    .note = Wenn Sie es waren, ist nichts zu tun. Wenn nicht, beenden Sie die Sitzung und ändern Sie jetzt Ihr Passwort.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

second-factor-changed =
    .subject = Ihr zweiter Faktor wurde geändert
    .preview = { $what }
    .heading = Ihr zweiter Faktor wurde geändert
    .text = { $what }
    .button = Zugang ansehen
    .note = Wenn Sie es nicht waren, ändern Sie jetzt Ihr Passwort und prüfen Sie Ihre zweiten Faktoren.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

password-changed =
    .subject = Ihr Passwort wurde geändert
    .preview = Alle anderen Sitzungen wurden abgemeldet.
    .heading = Ihr Passwort wurde geändert
    .text = Ihr Passwort wurde geändert. Alle anderen Browser wurden abgemeldet.
    .button = Zugang ansehen
    .note = Wenn Sie es nicht waren, wählen Sie jetzt mit „Passwort vergessen“ auf der Anmeldeseite ein neues und sagen Sie es dem Betreiber dieser Plattform.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

sessions-ended =
    .subject = Andere Browser wurden abgemeldet
    .preview = Jemand mit Ihrem Zugang hat andere Sitzungen beendet.
    .heading = Andere Browser wurden abgemeldet
    .text = Jemand, der mit Ihrem Zugang angemeldet ist, hat andere Sitzungen beendet.
    .button = Sitzungen ansehen
    .note = Wenn Sie es nicht waren, ändern Sie jetzt Ihr Passwort und prüfen Sie Ihre zweiten Faktoren.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

provider-linked =
    .subject = Sie können sich auf einem weiteren Weg anmelden
    .preview = Ab jetzt meldet { $provider } Sie an.
    .heading = Ein weiterer Weg zur Anmeldung
    .text = Ab jetzt können Sie sich mit Ihrem Zugang bei { $provider } anmelden.
    .button = Zugang ansehen
    .note = Wenn Sie es nicht waren, nehmen Sie diesen Weg wieder weg und ändern Sie jetzt Ihr Passwort.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

provider-unlinked =
    .subject = Ein Weg zur Anmeldung wurde entfernt
    .preview = { $provider } meldet Sie nicht mehr an.
    .heading = Ein Weg zur Anmeldung wurde entfernt
    .text = Sie können sich nicht mehr mit Ihrem Zugang bei { $provider } anmelden. Ihre anderen Wege bleiben, wie sie sind.
    .button = Zugang ansehen
    .note = Wenn Sie es nicht waren, ändern Sie jetzt Ihr Passwort und prüfen Sie Ihre zweiten Faktoren.
    .why = Sie erhalten diese E-Mail zur Sicherheit Ihres Zugangs.

visit-began =
    .subject = { $visitor } arbeitet in { $account }
    .preview = Von { $above }, bis { $until }.
    .heading = Ein Besuch von { $above }
    .text = { $visitor } von { $above } hat Ihr Konto betreten. Was dort getan wird, steht in Ihrem Protokoll.
    .button = Protokoll öffnen
    .note = Sie möchten vorher gefragt werden? Das ändern Sie unter Einstellungen, Zugriff.
    .why = Sie erhalten diese E-Mail, weil { $account } über Besuche informiert werden möchte.

access-asked =
    .subject = { $visitor } bittet um Zugriff auf { $account }
    .preview = Entscheiden Sie, ob { $above } das Konto betreten darf.
    .heading = Darf { $above } Ihr Konto betreten?
    .text = { $visitor } von { $above } bittet um Zugriff auf Ihr Konto. Bis Sie zustimmen, sind dort keine Nachrichten zu sehen und nichts zu ändern.
    .button = Entscheiden
    .note = Eine Zustimmung gilt für eine Zeit, die Sie wählen, und Sie können sie zurücknehmen.
    .why = Sie erhalten diese E-Mail, weil Sie Inhaber von { $account } sind.

access-granted =
    .subject = Sie dürfen { $account } betreten
    .preview = Bis { $until }.
    .heading = Sie dürfen { $account } betreten
    .text = { $by } hat zugestimmt, bis { $until }. Was Sie dort tun, steht im Protokoll des Kontos.
    .button = Konto betreten
    .note = Die Zustimmung kann jederzeit zurückgenommen werden.
    .why = Sie erhalten diese E-Mail, weil Sie um Zugriff gebeten haben.

access-refused =
    .subject = Kein Zugriff auf { $account }
    .preview = { $by } hat abgelehnt.
    .heading = Kein Zugriff auf { $account }
    .text = { $by } hat Ihre Bitte abgelehnt. Guthaben, Umbuchungen und Statistik des Kontos sehen Sie weiterhin.
    .button = Konto öffnen
    .note = Sprechen Sie miteinander, bevor Sie noch einmal fragen.
    .why = Sie erhalten diese E-Mail, weil Sie um Zugriff gebeten haben.

glass-broken =
    .subject = Notzugriff auf { $account }
    .preview = { $visitor } hat das Konto ohne Zustimmung betreten, bis { $until }.
    .heading = Notzugriff auf { $account }
    .text = { $visitor } von { $above } hat Ihr Konto betreten, ohne auf Ihre Zustimmung zu warten. Inhaber eines Kontos darüber dürfen das im Notfall und müssen sagen, warum.
    .button = Ansehen, was getan wurde
    .note = Alles, was getan wird, steht mit Name und Zeit in Ihrem Protokoll.
    .why = Sie erhalten diese E-Mail, weil { $account } vor jedem Besuch gefragt werden möchte.

ownership-offered =
    .subject = Soll { $account } Ihnen gehören?
    .preview = { $by } möchte Ihnen das Konto übergeben.
    .heading = Soll { $account } Ihnen gehören?
    .text = { $by } möchte Ihnen die Inhaberschaft von { $account } übergeben. Sie stünden dann für das Konto ein und entschieden, wer es sonst noch nutzt.
    .button = Angebot ansehen
    .note = Bis Sie zustimmen, ändert sich nichts. Das Angebot endet am { $expires }.
    .why = Sie erhalten diese E-Mail, weil Sie Mitglied von { $account } sind.

ownership-changed =
    .subject = { $account } gehört jetzt { $to }
    .preview = Die Inhaberschaft wurde von { $from } übergeben.
    .heading = { $account } hat einen neuen Inhaber
    .text = { $from } hat die Inhaberschaft an { $to } übergeben, mit Zustimmung beider.
    .button = Konto öffnen
    .note = { $from } bleibt Administrator, bis jemand das ändert.
    .why = Sie erhalten diese E-Mail, weil sich die Inhaberschaft von { $account } geändert hat.

account-suspended =
    .subject = { $account } ist gesperrt
    .preview = Das Konto kann vorerst keine Nachrichten senden.
    .heading = { $account } ist gesperrt
    .text = Das Konto und die Konten darunter können vorerst keine Nachrichten senden. Sie können sich weiterhin anmelden, alles lesen und ausleiten.
    .button = Konto öffnen
    .note = Wenn Sie nicht wissen, warum, fragen Sie, wer es gesperrt hat.
    .why = Sie erhalten diese E-Mail, weil Sie für { $account } verantwortlich sind.

account-closing =
    .subject = { $account } wird geschlossen
    .preview = Bis { $closes } kann das Konto wieder geöffnet werden.
    .heading = { $account } wird geschlossen
    .text = Das Konto sendet nicht mehr und wird am { $closes } endgültig geschlossen. Bis dahin kann es wieder geöffnet werden, und Sie können alles ausleiten.
    .button = Konto öffnen
    .note = Guthaben, das von oben kam, geht nach oben zurück. Eigenes Guthaben steht dem zu, der es bezahlt hat.
    .why = Sie erhalten diese E-Mail, weil Sie für { $account } verantwortlich sind.

automatic-transfer-failed =
    .subject = Keine automatische Umbuchung an { $account }
    .preview = { $amount } kamen nicht an. { $why }
    .heading = Keine automatische Umbuchung
    .text = Das Guthaben von { $account } ist unter die Schwelle gefallen, aber { $amount } konnten nicht von { $above } umgebucht werden. { $why }
    .button = Guthaben ansehen
    .note = Ist das Guthaben verbraucht, werden Nachrichten abgelehnt. Bitten Sie { $above } um Guthaben. Die Umbuchung wird erneut versucht, sobald dort Guthaben eintrifft oder die Obergrenze neu beginnt.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $account } kümmern.

automatic-transfer-failed-above =
    .subject = Keine automatische Umbuchung an { $account }
    .preview = { $amount } gingen nicht ab. { $why }
    .heading = Keine automatische Umbuchung
    .text = Das Guthaben von { $account } ist unter die Schwelle gefallen, aber { $amount } konnten nicht von { $above } umgebucht werden. { $why }
    .button = Guthaben ansehen
    .note = Ist das Guthaben verbraucht, werden Nachrichten von { $account } abgelehnt. Die Umbuchung wird erneut versucht, sobald Sie Guthaben haben oder die Obergrenze neu beginnt.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $above } kümmern.

shared-wallet-empty =
    .subject = Nachrichten von { $account } werden abgelehnt
    .preview = Das gemeinsame Guthaben reicht nicht mehr.
    .heading = Nachrichten werden abgelehnt
    .text = { $account } sendet auf das Guthaben von { $above }, und dieses reicht für die Nachrichten nicht mehr. Sie werden abgelehnt und kosten nichts.
    .button = Guthaben ansehen
    .note = Bitten Sie { $above } um Guthaben. Sobald es dort eintrifft, gehen Nachrichten wieder hinaus.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $account } kümmern.

shared-wallet-empty-above =
    .subject = Nachrichten von { $account } werden abgelehnt
    .preview = Ihr Guthaben reicht nicht mehr.
    .heading = Nachrichten werden abgelehnt
    .text = { $account } sendet auf das Guthaben von { $above }, und dieses reicht für die Nachrichten nicht mehr. Sie werden abgelehnt und kosten nichts.
    .button = Guthaben ansehen
    .note = Sobald Guthaben da ist, gehen Nachrichten wieder hinaus.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $above } kümmern.

limit-fuller =
    .subject = { $account } hat { $share } % eines Limits verbraucht
    .preview = { $what }: { $share } % sind verbraucht.
    .heading = { $share } % eines Limits sind verbraucht
    .text = { $account } hat { $share } % des Erlaubten verbraucht: { $what }. Ist es ganz verbraucht, werden weitere Nachrichten abgelehnt, bis es neu beginnt.
    .button = Limits ansehen
    .note = { $setter } kann es erhöhen.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $account } kümmern.

limit-fuller-above =
    .subject = { $account } hat { $share } % eines Limits verbraucht
    .preview = { $what }: { $share } % sind verbraucht.
    .heading = { $share } % eines Limits sind verbraucht
    .text = { $account } hat { $share } % des Erlaubten verbraucht: { $what }. Ist es ganz verbraucht, werden die Nachrichten abgelehnt, bis es neu beginnt.
    .button = Limits ansehen
    .note = Sie können es erhöhen.
    .why = Sie erhalten diese E-Mail, weil { $setter } das Limit gesetzt hat und Sie sich um dessen Guthaben kümmern.

limit-full =
    .subject = { $account } hat ein Limit erreicht
    .preview = { $what }: alles ist verbraucht.
    .heading = Ein Limit ist erreicht
    .text = { $account } hat alles Erlaubte verbraucht: { $what }. Nachrichten, die nicht mehr passen, werden abgelehnt und nicht berechnet, bis es neu beginnt.
    .button = Limits ansehen
    .note = { $setter } kann es erhöhen.
    .why = Sie erhalten diese E-Mail, weil Sie sich um das Guthaben von { $account } kümmern.

limit-full-above =
    .subject = { $account } hat ein Limit erreicht
    .preview = { $what }: alles ist verbraucht.
    .heading = Ein Limit ist erreicht
    .text = { $account } hat alles Erlaubte verbraucht: { $what }. Nachrichten, die nicht mehr passen, werden abgelehnt und nicht berechnet, bis es neu beginnt.
    .button = Limits ansehen
    .note = Sie können es erhöhen.
    .why = Sie erhalten diese E-Mail, weil { $setter } das Limit gesetzt hat und Sie sich um dessen Guthaben kümmern.

limit-spend-day = Ausgaben am Tag
limit-spend-month = Ausgaben im Monat
limit-messages-hour = Nachrichten in der Stunde
limit-messages-day = Nachrichten am Tag
fact-limit = Limit
fact-most = Erlaubt
fact-used = Verbraucht
fact-country = Land
fact-label = Label
