//! What users say.

pub(super) const POSTS: &[&str] = &[
    "Grüße aus dem Emulator 👋 https://t.co/example",
    "Coffee first. ☕",
    "Wer kennt ein gutes Buch über Uhren?",
    "The train is late again, and nobody knows why.",
    "Heute: Regen. Morgen: mehr davon. 🌧️",
    "Shipping day 🚀",
    "It's not a bug & it's not a feature: it's <undocumented>",
    "日本語のテスト投稿です",
    "Questo è il post che tutti aspettavano",
    "“Quotes” and \\backslashes\\ and a/slash",
    "Two things are infinite: the universe and my backlog",
    "Wir suchen Verstärkung für den Nachtdienst",
    "Does anybody read these?",
    "مرحبا بالعالم",
    "A picture says more, but I have none.",
    "¿Quién viene mañana? 🎉",
];

pub(super) const REPLIES: &[&str] = &[
    "Danke für den Hinweis!",
    "This. So much this.",
    "Hard disagree, and here is why",
    "😂😂😂",
    "Source?",
    "Same here since Tuesday",
    "Können Sie uns eine Nachricht schreiben?",
    "Congratulations! 🎊",
    "C'est magnifique",
    "いいね",
];

pub(super) const MESSAGES: &[&str] = &[
    "Hallo, eine Frage zu meiner Bestellung",
    "Sure, give me a minute",
    "Schöne Grüße 👋",
    "Did you get my last message?",
    "👍",
    "The number is on the back of the card.",
    "Vielen Dank für die schnelle Antwort!",
    "One more thing: it also happens at night",
    "No problem at all",
    "Bis morgen!",
];
