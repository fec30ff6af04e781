"""Languages to write in, with the charsets their mail comes in, and strangers to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """``weight`` is its share among the others; ``space`` stands between words."""

    weight: int
    charsets: tuple[str, ...]
    words: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    space: str = " "


def _language(
    weight: int, charsets: str, words: str, first_names: str, last_names: str, *, space: str = " "
) -> Language:
    return Language(
        weight=weight,
        charsets=tuple(charsets.split()),
        words=tuple(words.split()),
        first_names=tuple(first_names.split()),
        last_names=tuple(last_names.split()),
        space=space,
    )


LANGUAGES: tuple[Language, ...] = (
    _language(
        50,
        "us-ascii utf-8 utf-8 iso-8859-1 windows-1252",
        "offer meeting project delivery invoice quarter budget contract review sample question price order schedule "
        "team customer feedback report draft release support training agenda visit update plan warehouse supplier "
        "machine drawing tender deadline terms discount reminder answer for the with about next new our your",
        "Alice Ben Carla David Emma Frank Grace Henry Isla Jack",
        "Archer Baker Cooper Dawson Ellis Foster Graham Hughes Irving Jordan",
    ),
    _language(
        18,
        "utf-8 iso-8859-1 iso-8859-15 windows-1252",
        "Angebot Besprechung Projekt Lieferung Rechnung für Prüfung Übergabe Gespräch Rückfrage Menge Größe Preis "
        "Termin Vertrag Muster Änderung bestätigen nächste Woche unser über außerdem möglich Zeichnung Straße zurück",
        "Jürgen Käthe Björn Anneliese Götz Sören Ulrike Mathäus",
        "Müller Schäfer Groß Kühn Weiß Jäger Vögel Strauß",
    ),
    _language(
        8,
        "utf-8 iso-8859-15 windows-1252",
        "réunion devis livraison facture projet échéance marché équipe prochaine semaine été prévu déjà façade coûts "
        "garçon où être très bientôt merci d'avance contrat œuvre cœur modèle",
        "Éloïse François Hélène Jérôme Zoé André",
        "Lefèvre Béranger Gérard Noël Forêt Châtelain",
    ),
    _language(
        6,
        "utf-8 iso-8859-2 windows-1250",
        "zamówienie spotkanie umowa dostawa pytanie cena próbka tydzień następny rysunek zmiana przegląd możliwość "
        "wysyłka źródło gałąź łódź święto żółty",
        "Agnieszka Paweł Łukasz Małgorzata Zbigniew",
        "Wójcik Dąbrowski Król Jabłoński Świątek",
    ),
    _language(
        6,
        "utf-8 koi8-r windows-1251",
        "встреча договор поставка счёт проект вопрос цена образец неделя чертёж изменение проверка отправка ответ "
        "команда отчёт новый следующий наш",
        "Анна Борис Вера Григорий Дарья",  # noqa: RUF001 - Russian, and not Latin letters by mistake
        "Иванов Петров Соколов Кузнецов Морозов",
    ),
    _language(
        5,
        "utf-8 iso-2022-jp shift_jis",
        "会議 契約 納品 請求書 見積 質問 来週 確認 変更 図面 出荷 予定 資料 担当 お願い ありがとう よろしく",
        "花子 太郎 美咲 健一",
        "田中 佐藤 鈴木 高橋",
        space="",
    ),
    _language(
        4,
        "utf-8 gb18030",
        "会议 合同 交货 发票 报价 问题 下周 确认 变更 图纸 发货 计划 资料 负责人 请 谢谢 项目 客户",
        "丽 伟 芳 强",
        "王 李 张 刘",
        space="",
    ),
    _language(
        3,
        "utf-8 euc-kr",
        "회의 계약 납품 청구서 견적 질문 다음주 확인 변경 도면 출하 계획 자료 담당 부탁 감사 프로젝트",
        "지훈 서연 민준 하은",
        "김 이 박 최",
    ),
)
WEIGHTS: tuple[int, ...] = tuple(language.weight for language in LANGUAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    address: str


def sentence(rng: Random, language: Language, *, words: int) -> str:
    text = language.space.join(rng.choices(language.words, k=words))
    return text[0].upper() + text[1:]


def paragraphs(rng: Random, language: Language, *, count: int) -> str:
    """Text of lines below 78 characters, paragraphs apart by an empty line, without a newline at the end."""
    return "\n\n".join(
        "\n".join(sentence(rng, language, words=rng.randint(5, 8)) + "." for _ in range(rng.randint(1, 5)))
        for _ in range(count)
    )


def strangers(rng: Random, *, count: int, not_in: frozenset[str]) -> tuple[Person, ...]:
    """People nobody knows: none of the addresses ``not_in`` (lower case) is theirs."""
    people = []
    for number in range(count):
        (language,) = rng.choices(LANGUAGES, WEIGHTS)
        name = f"{rng.choice(language.first_names)} {rng.choice(language.last_names)}"
        address = f"p{number}.{rng.randrange(16**4):04x}@{rng.choice(_DOMAINS)}"
        if address not in not_in:
            people.append(Person(name=name, address=address))
    return tuple(people)


_DOMAINS = tuple(f"{name}.test" for name in ("acorn", "birch", "cedar", "dunes", "ember", "fjord", "grove", "haven"))
