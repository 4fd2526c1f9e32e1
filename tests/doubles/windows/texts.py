# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs print, by language. No one may read these words: that is why there are three languages.

English, and Italian for ``show``, follow public captures; German ``show`` and the rest are made up in the same shape.
"""

from __future__ import annotations

SHOW_HEAD = {"en": "URL Reservations:", "de": "URL-Reservierungen:", "it": "Prenotazioni URL:"}
SHOW = {
    "en": ("Reserved URL            :", "User:", "Listen:", "Delegate:"),
    "de": ("Reservierte URL         :", "Benutzer:", "Abhören:", "Delegieren:"),
    "it": ("URL prenotati           :", "Utente:", "In ascolto:", "Delega:"),
}
ADDED = {
    "en": "URL reservation successfully added",
    "de": "Die URL-Reservierung wurde erfolgreich hinzugefügt.",
    "it": "Prenotazione URL aggiunta correttamente",
}
DELETED = {
    "en": "URL reservation successfully deleted",
    "de": "Die URL-Reservierung wurde erfolgreich gelöscht.",
    "it": "Prenotazione URL eliminata correttamente",
}
ADD_FAILED = {
    "en": "Url reservation add failed, Error: {}",
    "de": "Die URL-Reservierung konnte nicht hinzugefügt werden. Fehler: {}",
    "it": "Aggiunta prenotazione URL non riuscita. Errore: {}",
}
DELETE_FAILED = {
    "en": "URL reservation delete failed, Error: {}",
    "de": "Die URL-Reservierung konnte nicht gelöscht werden. Fehler: {}",
    "it": "Eliminazione prenotazione URL non riuscita. Errore: {}",
}
ELEVATE = {
    "en": "The requested operation requires elevation (Run as administrator).",
    "de": "Der angeforderte Vorgang erfordert erhöhte Rechte (Als Administrator ausführen).",
    "it": "L'operazione richiesta richiede privilegi più elevati (Esegui come amministratore).",
}
# Labels of sc.exe; the constants next to them are the same everywhere.
STATE = {"en": ("SERVICE_NAME", "STATE"), "de": ("SERVICE_NAME", "STATE"), "it": ("NOME_SERVIZIO", "STATO")}
NO_SERVICE = {
    "en": "The specified service does not exist as an installed service.",
    "de": "Der angegebene Dienst ist kein installierter Dienst.",
    "it": "Il servizio specificato non esiste come servizio installato.",
}
STARTED = {
    "en": "The {} service was started successfully.",
    "de": "{} wurde erfolgreich gestartet.",
    "it": "Servizio {} avviato.",
}
STOPPED = {
    "en": "The {} service was stopped successfully.",
    "de": "{} wurde erfolgreich beendet.",
    "it": "Servizio {} arrestato.",
}
SYSTEM_ERROR = {
    "en": "System error {} has occurred.",
    "de": "Systemfehler {} aufgetreten.",
    "it": "Errore di sistema {}.",
}
NO_KEY = {
    "en": "ERROR: The system was unable to find the specified registry key or value.",
    "de": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
    "it": "ERRORE: impossibile trovare la chiave o il valore del Registro di sistema specificato.",
}
NOT_A_PROGRAM = {
    "en": "The term '{}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
    "de": 'Die Benennung "{}" wurde nicht als Name eines Cmdlet, einer Funktion oder einer Datei erkannt.',
    "it": "Termine '{}' non riconosciuto come nome di cmdlet, funzione, file di script o programma eseguibile.",
}
LISTENING = {"en": "LISTENING", "de": "ABHÖREN", "it": "LISTENING"}
ESTABLISHED = {"en": "ESTABLISHED", "de": "HERGESTELLT", "it": "ESTABLISHED"}
# Of ``netsh http show servicestate view=requestq``. The English ones are of public captures, the others are made up:
# no one may rely on any of them.
QUEUES = {
    "en": (
        *("Snapshot of HTTP service state (Request Queue View)", "Request queue name: Request queue is unnamed."),
        *("Number of active processes attached", "Processes", "Registered URLs"),
    ),
    "de": (
        *("Momentaufnahme des HTTP-Dienststatus (Anforderungswarteschlange)", "Warteschlangenname: Unbenannt."),
        *("Anzahl der aktiven Prozesse", "Prozesse", "Registrierte URLs"),
    ),
    "it": (
        *("Snapshot dello stato del servizio HTTP (visualizzazione code)", "Nome coda richieste: senza nome."),
        *("Numero di processi attivi", "ID processi", "URL registrati"),
    ),
}
