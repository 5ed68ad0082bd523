"""Conversations in Japanese, Arabic and Hindi, made from templates for tests and benchmarks: nobody said them.

`conversations(200)` are the same each time. `MARKED` are texts with personal data between ⟦KIND:…⟧, as in
tests/data/redaction.jsonl: full-width and other digits, names without a capital, words without spaces.
"""

# ruff: noqa: E501 (sentences are not cut)
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

Language = Literal["ja", "ar", "hi"]
LANGUAGES: tuple[Language, ...] = ("ja", "ar", "hi")

THINGS: dict[Language, tuple[str, ...]] = {
    "ja": ("請求書", "予約", "注文", "パスワード", "返品", "会員カード", "配送先", "アカウント"),
    "ar": ("الفاتورة", "الحجز", "الطلب", "كلمة المرور", "المرتجع", "بطاقة العضوية", "عنوان الشحن", "الحساب"),
    "hi": ("बिल", "आरक्षण", "ऑर्डर", "पासवर्ड", "वापसी", "सदस्यता कार्ड", "डिलीवरी का पता", "खाता"),
}
DAYS: dict[Language, tuple[str, ...]] = {
    "ja": ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
    "ar": ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"),
    "hi": ("सोमवार", "मंगलवार", "बुधवार", "गुरुवार", "शुक्रवार", "शनिवार", "रविवार"),
}
ASKS: dict[Language, tuple[str, ...]] = {
    "ja": (
        "こんにちは。{day}に{thing}の件で問い合わせましたが、番号{number}の手続きがまだ終わっていないようです。確認していただけますか？",
        "{thing}を変更したいのですが、アプリの画面に「エラー{number}」と表示されて先に進めません。どうすればいいでしょうか。",
        "先週の{day}から{thing}について何度もお願いしています。受付番号は{number}です。いつまで待てばいいのか教えてください！",
        "ＷＥＢサイトで{thing}を確認したところ、金額が{number}円になっていました。前回と違う理由を説明してください。",
    ),
    "ar": (
        "مرحبا، لقد تواصلت معكم يوم {day} بخصوص {thing} ورقم المعاملة هو {number} ولم يصلني أي رد حتى الآن، هل يمكنكم المساعدة؟",
        "أريد تغيير {thing} ولكن التطبيق يعرض لي رسالة الخطأ {number} في كل مرة أحاول فيها، ماذا يجب أن أفعل؟",
        "منذ يوم {day} وأنا أنتظر {thing} برقم {number} وقد طلبت منكم أكثر من مرة أن تخبروني بالموعد النهائي!",
        "عندما راجعت {thing} على الموقع وجدت أن المبلغ أصبح {number} ريالا، أرجو توضيح سبب هذا الاختلاف عن المرة السابقة.",
    ),
    "hi": (
        "नमस्ते, मैंने {day} को {thing} के बारे में आपसे संपर्क किया था और मेरा संदर्भ क्रमांक {number} है, क्या आप स्थिति बता सकते हैं?",
        "मैं {thing} बदलना चाहता हूँ लेकिन ऐप हर बार त्रुटि {number} दिखाता है और आगे नहीं बढ़ता, मुझे क्या करना चाहिए?",
        "पिछले {day} से मैं {thing} के लिए कई बार कह चुका हूँ, मेरा टिकट {number} है, कृपया बताइए कि और कितना इंतज़ार करना होगा!",
        "वेबसाइट पर {thing} देखने पर राशि {number} रुपये दिख रही है, पिछली बार से अलग होने का कारण समझाइए।",
    ),
}
ANSWERS: dict[Language, tuple[str, ...]] = {
    "ja": (
        "お待たせして申し訳ございません。{thing}につきましては{day}までに担当者からご連絡いたします。受付番号は{number}です。",
        "ご不便をおかけしております。{thing}の設定画面を開き、コード{number}を入力してからもう一度お試しください。",
    ),
    "ar": (
        "نعتذر عن التأخير، سيتواصل معكم أحد الزملاء بخصوص {thing} قبل يوم {day} ورقم المتابعة الخاص بكم هو {number}.",
        "يرجى فتح صفحة {thing} من الإعدادات ثم إدخال الرمز {number} وإعادة المحاولة مرة أخرى بعد بضع دقائق.",
    ),
    "hi": (
        "देरी के लिए हमें खेद है, {thing} के बारे में हमारा साथी {day} से पहले आपसे संपर्क करेगा, आपका क्रमांक {number} है।",
        "कृपया सेटिंग में {thing} का पृष्ठ खोलें, कोड {number} डालें और कुछ मिनट बाद फिर से कोशिश करें।",
    ),
}
MARKED: dict[Language, tuple[str, ...]] = {
    "ja": (
        "連絡先は⟦EMAIL:tanaka.yuki@example.jp⟧です。",
        "メールは⟦EMAIL:ｓａｔｏ＠ｅｘａｍｐｌｅ．ｊｐ⟧までお願いします。",
        "電話番号は⟦PHONE:090-1234-5678⟧です。",
        "電話は⟦PHONE:０９０－１２３４－５６７８⟧にください。",
        "国際電話なら⟦PHONE:+81 3-1234-5678⟧へ。",
        "カード番号は⟦CARD:4111 1111 1111 1111⟧でした。",
        "カード⟦CARD:４１１１－１１１１－１１１１－１１１１⟧で払いました。",
        "サーバーは⟦IP:192.168.10.24⟧です。",
        "私の名前は⟦NAME:田中由紀⟧です。",
        "⟦NAME:佐藤健一⟧と申します。",
    ),
    "ar": (
        "بريدي الإلكتروني هو ⟦EMAIL:fatima.ali@example.com⟧ شكرا",
        "رقم الجوال ⟦PHONE:+966 50 123 4567⟧",
        "رقم الهاتف ⟦PHONE:٠٥٠ ١٢٣ ٤٥٦٧⟧",
        "اتصلوا بي على ⟦PHONE:+٩٦٦٥٠١٢٣٤٥٦٧⟧",
        "رقم الحساب ⟦IBAN:SA03 8000 0000 6080 1016 7519⟧",
        "البطاقة ⟦CARD:4111 1111 1111 1111⟧",
        "البطاقة ⟦CARD:٤١١١ ١١١١ ١١١١ ١١١١⟧",
        "عنوان الخادم ⟦IP:10.0.12.7⟧",
        "اسمي ⟦NAME:فاطمة العلي⟧",
        "أنا ⟦NAME:محمد حسن⟧ من الرياض",
    ),
    "hi": (
        "मेरा ईमेल ⟦EMAIL:priya.sharma@example.in⟧ है",
        "मेरा फ़ोन नंबर ⟦PHONE:+91 98765 43210⟧ है",
        "फ़ोन ⟦PHONE:98765 43210⟧ पर कॉल करें",
        "फ़ोन ⟦PHONE:९८७६५ ४३२१०⟧ पर कॉल करें",
        "नंबर ⟦PHONE:+९१ ९८७६५ ४३२१०⟧",
        "कार्ड ⟦CARD:4111 1111 1111 1111⟧ से भुगतान किया",
        "कार्ड ⟦CARD:४१११ ११११ ११११ ११११⟧ से भुगतान किया",
        "सर्वर ⟦IP:172.16.4.9⟧ पर है",
        "मेरा नाम ⟦NAME:प्रिया शर्मा⟧ है",
        "मैं ⟦NAME:राहुल वर्मा⟧ हूँ",
    ),
}
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
DIGITS: dict[Language, dict[int, str]] = {"ja": FULL_WIDTH, "ar": ARABIC, "hi": DEVANAGARI}


def said(language: Language, template: str, random: Random) -> str:
    """A message; half of its numbers are in the digits of its script."""
    number = str(random.randrange(10_000, 99_999))
    number = number.translate(DIGITS[language]) if random.random() < 0.5 else number
    return template.format(thing=random.choice(THINGS[language]), day=random.choice(DAYS[language]), number=number)


def conversations(count: int, *, turns: int = 4) -> dict[str, dict[str, Any]]:
    """So many conversations by id, in turn in each language, over five days."""
    found: dict[str, dict[str, Any]] = {}
    for n in range(count):
        language = LANGUAGES[n % len(LANGUAGES)]
        random = Random(n)
        began = datetime(2026, 3, 2, 8) + timedelta(days=n % 5, minutes=n)
        messages = [
            {
                "role": ("user", "assistant")[turn % 2],
                "content": said(language, random.choice((ASKS, ANSWERS)[turn % 2][language]), random),
                "timestamp": (began + timedelta(seconds=30 * turn)).isoformat() + "Z",
            }
            for turn in range(turns)
        ]
        found[f"{language}-{n:03}"] = {"user_id": f"{language}-user-{n % 41}", "messages": messages}
    return found
