"""Words and clause patterns of the simulated languages: English, Spanish, Russian and Chinese.

A pattern is text with ``{class}`` slots. The classes are ``n`` nouns (by community of interest), ``a``
adjectives, ``v`` verbs, ``t`` times and places, ``p`` invented names and ``d`` small numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Language:
    """One language's words and patterns.

    Attributes
    ----------
    code
        Language tag as in the events' ``lang``.
    words
        Words by class.
    syllables
        Parts of invented names.
    clauses
        Patterns of everyday clauses.
    short
        Whole short messages.
    heads, cores, tails
        Patterns whose sequences are smooth, longer sentences, as writing assistants prefer them.
    greetings, rulings
        What greeters and moderators write.
    joint, stop
        What stands between clauses, and at the end.
    """

    code: str
    words: dict[str, tuple[str, ...]]
    syllables: tuple[str, ...]
    clauses: tuple[str, ...]
    short: tuple[str, ...]
    heads: tuple[str, ...]
    cores: tuple[str, ...]
    tails: tuple[str, ...]
    greetings: tuple[str, ...]
    rulings: tuple[str, ...]
    joint: tuple[str, ...]
    stop: tuple[str, ...]


def _w(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


_ENGLISH: Final = Language(
    "en",
    {
        "n": _w(
            "garden bridge river kettle ladder window battery trail camera lens recipe oven market"
            " bicycle tyre engine ticket train harbour museum novel chapter poem library stadium"
            " referee goal season coach guitar drum concert album song lyric server router keyboard"
            " update patch compiler proof theorem lemma lecture exam essay thesis clinic vaccine"
            " budget council election tax rent landlord kitchen sofa carpet lamp puppy kitten aquarium"
            " parrot horse farm tractor harvest tomato onion bread cheese coffee tea wine pasta noodle"
            " soup salad knife pan telescope comet planet rocket satellite storm forecast snow flood"
            " beach island ferry passport hotel luggage map compass tent rope jacket boot needle yarn"
            " fabric pattern loom clay glaze brush canvas portrait mirror clock radio antenna puzzle"
            " chess opening endgame dice card deck quest boss level controller joystick printer"
            " scanner invoice parcel courier warehouse pension insurance mortgage savings stock bond"
            " dividend market"
        ),
        "a": _w(
            "broken quiet late strange cheap heavy bright muddy gentle awful lovely old rusty tiny"
            " huge slow fast empty crowded honest noisy warm cold fresh stale sharp blunt clever silly"
            " proper odd rare common loose tight deep shallow bitter sweet plain fancy fragile sturdy"
            " dusty clean wet dry thin thick fair unfair early sudden steady nervous calm lazy busy"
        ),
        "v": _w(
            "fixed lost found sold bought borrowed cleaned painted missed watched finished started"
            " dropped carried wrote read cooked burned mended measured counted opened closed moved hid"
            " broke tried liked hated skipped booked cancelled planted washed folded photographed"
            " recorded tested returned forgot remembered drew built explained compared ordered shipped"
        ),
        "t": (
            "this morning",
            "last night",
            "on Sunday",
            "after work",
            "before lunch",
            "in the rain",
            "at the station",
            "near the school",
            "all week",
            "for an hour",
            "since March",
            "at my sister's",
            "behind the shop",
            "on the way home",
            "in the end",
            "two days ago",
            "as usual",
            "again",
            "by accident",
            "over breakfast",
            "during the break",
            "upstairs",
            "by the lake",
            "in town",
        ),
    },
    _w("ba ren to li mar ven do sal ek ori pa lin ster ho gra wes min cal der fen ru na vi os tal bre"),
    _lines(
        """
        I {v} the {a} {n} {t}
        we {v} a {n} and the {n} was {a}
        {p} {v} my {n} {t}
        the {n} looks {a} to me
        has anyone {v} the {n} from {p}
        my {n} is {a}, the {n} is worse
        {d} people {v} that {n} {t}
        why is every {n} so {a}
        still waiting for the {n} {p} promised
        nobody {v} the {n}, it was too {a}
        the {a} one from {p} is better than my {n}
        {t} I {v} {d} of them
        {p} says the {n} near {p} is {a}
        if the {n} is {a} I would rather take the {n}
        {t} the {n} got {a} and we {v} it
        not sure about the {n}, {p} {v} one {t}
        a {a} {n}, a {a} {n} and no {n}
        turns out {p} {v} it {t}
        my brother {v} the {n}, I {v} the {n}
        the new {n} at {p} costs {d} and feels {a}
        do not buy the {a} {n}, get the one {p} {v}
        {d} minutes for a {n} is {a}
        """
    ),
    _lines(
        """
        yes
        no
        ok
        haha
        thanks!
        same here
        no idea
        why though
        on my way
        sure, go on
        not yet
        which one?
        good one
        me too
        wait what
        done
        see you there
        maybe later
        exactly
        no way
        brb
        what time?
        congrats!
        sounds good
        """
    ),
    _lines(
        """
        The {a} {n} deserves a closer look
        What stands out about the {n} is its balance
        In practice, a {a} {n} can make a real difference
        There is a quiet lesson in how {p} {v} the {n}
        While the {n} may seem {a} at first
        By focusing on the {n} rather than the {n}
        It is encouraging to see what {p} {v} {t}
        To put it briefly, the {n} remains {a}
        From a wider perspective
        One small habit can prevent a {a} {n}
        For anyone new to the {n}
        Having thought about the {n} {t}
        """
    ),
    _lines(
        """
        , and the connection with {p} is more nuanced than it appears
        , especially when the {n} and the {n} meet {t}
        , which is why {p} keeps returning to the {n}
        , since patience with a {n} often matters more than speed
        , because {a} choices around the {n} shape everyday life
        , and {d} considerations are worth keeping in mind
        , even though the {n} around {p} keeps changing
        , provided that the {n} is treated with care
        , as those who {v} a {n} will recognise
        , much like the {n} that {p} once {v}
        , although a {a} {n} offers no guarantee
        ; the point about the {n} is both {a} and timely
        """
    ),
    _lines(
        """
        , without losing sight of the {n}.
        , and that is where {p} excels.
        , so the {n} becomes an invitation rather than an obstacle.
        , a theme that {p} explores beautifully.
        . The {n} simply follows.
        , and a {a} {n} is only the beginning.
        . I would love to hear how others see the {n}.
        , as the past {d} weeks have shown.
        , which makes the {n} feel remarkably {a}.
        . Thank you for bringing up the {n}!
        , one {n} at a time.
        .
        """
    ),
    _lines(
        """
        welcome, {p}! have a look at the {n} thread
        hi {p}, welcome aboard
        welcome! introduce yourself and your {n} {t}
        hello and welcome, ask anything about the {n}
        """
    ),
    _lines(
        """
        please keep to the topic of the {n}
        moved to the {n} section
        please read the rules before posting about a {n}
        closing this, see the {n} thread
        """
    ),
    (", ", ". ", " and ", " but ", "; ", " - ", " because "),
    (".", ".", "", "!", "...", "?"),
)

_SPANISH: Final = Language(
    "es",
    {
        "n": _w(
            "jardín puente río tren billete museo libro poema partido gol guitarra concierto disco"
            " servidor teclado examen clínica mercado alquiler cocina lámpara perro gato caballo"
            " tomate pan queso café vino sopa cuchillo cometa planeta tormenta playa isla barco"
            " pasaporte hotel mapa mochila hilo barro pincel espejo reloj ajedrez dado paquete seguro"
            " ahorro huerto bosque camino taller motor freno farol balcón teatro guion actor ensayo"
            " vecino plaza fuente sombrero abrigo guante cuaderno"
        ),
        "a": _w(
            "roto raro tarde barato pesado brillante horrible bonito viejo pequeño enorme lento"
            " rápido vacío lleno honesto ruidoso caliente frío fresco duro blando listo tonto común"
            " profundo amargo dulce sencillo frágil limpio seco justo tranquilo nuevo ligero oscuro"
            " claro"
        ),
        "v": _w(
            "arreglé perdí encontré vendí compré limpié pinté miré terminé empecé llevé escribí leí"
            " cociné quemé medí abrí cerré moví rompí probé odié reservé cancelé planté lavé grabé"
            " devolví olvidé dibujé construí comparé pedí guardé copié busqué"
        ),
        "t": (
            "esta mañana",
            "anoche",
            "el domingo",
            "después del trabajo",
            "bajo la lluvia",
            "en la estación",
            "cerca del colegio",
            "toda la semana",
            "desde marzo",
            "otra vez",
            "sin querer",
            "en el pueblo",
            "al final",
            "hace dos días",
            "como siempre",
            "con mi hermana",
        ),
    },
    _w("ma ri so len ti ga ro ces vi da lu pe ña qui ba mon te fer na jo"),
    _lines(
        """
        {v} el {n} {t}
        el {n} de {p} es {a}
        mi {n} está {a} y el {n} también
        {t} {v} un {n} muy {a}
        alguien sabe si {p} tiene el {n}
        no me gusta el {n}, demasiado {a}
        {p} dice que el {n} cuesta {d}
        ya {v} {d} veces el mismo {n}
        un {n} {a}, otro {n} y nada más
        si el {n} es {a} prefiero el {n}
        todavía espero el {n} de {p}
        {d} personas en el {n} {t}
        qué {a} el {n} de {p}
        al {n} le falta algo, {t} lo {v}
        """
    ),
    _lines(
        """
        sí
        no
        vale
        jajaja
        gracias!
        yo también
        ni idea
        ya voy
        todavía no
        cuál?
        espera
        hecho
        nos vemos
        claro
        a qué hora?
        """
    ),
    _lines(
        """
        El {n} merece una mirada más atenta
        Lo que llama la atención del {n} es su equilibrio
        En la práctica, un {n} {a} marca la diferencia
        Aunque el {n} parezca {a}
        Desde una perspectiva más amplia
        En resumen, el {n} sigue siendo {a}
        Para quien empieza con el {n}
        Después de pensar en el {n} {t}
        """
    ),
    _lines(
        """
        , sobre todo si pensamos en {p} y el {n}
        , y su relación con el {n} tiene más matices
        , porque la paciencia con el {n} importa más que la prisa
        , aun cuando el {n} de {p} cambie {t}
        , y conviene recordar {d} ideas sencillas
        ; la observación sobre el {n} es muy oportuna
        , como bien sabe {p} cuando habla del {n}
        , siempre que el {n} se trate con cuidado
        """
    ),
    _lines(
        """
        , sin perder de vista el {n}.
        , y ahí es donde {p} brilla.
        , lo que hace que el {n} resulte {a}.
        . El {n} llega después.
        , un {n} a la vez.
        . Me encantaría leer otras opiniones sobre el {n}.
        , como muestran las últimas {d} semanas.
        .
        """
    ),
    _lines(
        """
        bienvenido, {p}! mira el hilo del {n}
        hola {p}, bienvenida al grupo
        hola! cuéntanos de tu {n}
        """
    ),
    _lines(
        """
        por favor, sin salir del tema del {n}
        movido a la sección del {n}
        lee las normas antes de publicar un {n}
        """
    ),
    (", ", ". ", " y ", " pero ", "; ", " porque "),
    (".", ".", "", "!", "...", "?"),
)

_RUSSIAN: Final = Language(
    "ru",
    {
        "n": _w(
            "сад мост чайник поезд билет музей роман матч гол гитара концерт альбом сервер экзамен"
            " рынок кухня лампа кот пёс лошадь помидор хлеб сыр кофе чай суп нож комета планета ракета"
            " гроза пляж остров паром паспорт отель рюкзак нитка глина кисть зеркало часы шахматы"
            " посылка страховка огород лес тропа мастерская мотор тормоз фонарь балкон театр актёр"
            " сосед площадь фонтан шляпа пальто тетрадь велосипед камера рецепт духовка аптека трамвай"
            " подъезд дача забор ведро"
        ),
        "a": _w(
            "сломан странный поздний дешёвый тяжёлый яркий ужасный милый старый маленький огромный"
            " медленный быстрый пустой полный честный шумный тёплый холодный свежий острый умный"
            " глупый обычный глубокий горький сладкий простой хрупкий чистый сухой спокойный новый"
            " лёгкий тёмный редкий"
        ),
        "v": _w(
            "починил потерял нашёл продал купил помыл покрасил пропустил посмотрел закончил начал"
            " принёс написал прочитал сварил сжёг измерил открыл закрыл перенёс сломал попробовал"
            " отменил посадил записал вернул забыл нарисовал построил сравнил заказал спрятал"
        ),
        "t": (
            "сегодня утром",
            "вчера вечером",
            "в воскресенье",
            "после работы",
            "под дождём",
            "на вокзале",
            "возле школы",
            "всю неделю",
            "с марта",
            "опять",
            "случайно",
            "в городе",
            "в конце концов",
            "два дня назад",
            "как обычно",
            "у сестры",
        ),
    },
    _w("ва ле ми ро сав тин ко бе рез ов ска ни гра жу дол мар се пе тро ви"),
    _lines(
        """
        я {v} {n} {t}
        {n} у {p} совсем {a}
        {t} {p} {v} мой {n}
        мой {n} {a}, а {n} ещё хуже
        кто-нибудь {v} {n} от {p}
        {d} человек уже видели этот {n}
        почему каждый {n} такой {a}
        до сих пор жду {n}, который {p} обещал
        никто не {v} {n}, слишком {a}
        {p} говорит, что {n} стоит {d}
        если {n} {a}, лучше взять {n}
        {t} {n} стал {a}, и мы его больше не брали
        брат {v} {n}, а я {v} {n}
        один {a} {n}, другой {a} {n}
        """
    ),
    _lines(
        """
        да
        нет
        ок
        ахаха
        спасибо!
        у меня так же
        не знаю
        уже иду
        ещё нет
        какой?
        подожди
        готово
        до встречи
        точно
        во сколько?
        """
    ),
    _lines(
        """
        Этот {n} заслуживает внимания
        Важно отметить, что {n} становится {a}
        На практике {a} {n} действительно помогает
        Хотя {n} кажется {a}
        Если смотреть шире
        Подводя итог, {n} остаётся {a}
        Для тех, кто впервые встречает {n}
        Размышляя о том, как {p} {v} {n} {t}
        """
    ),
    _lines(
        """
        , особенно если вспомнить, что {p} {v} {n}
        , и его связь с темой «{n}» не так проста
        , ведь терпение важнее, чем {a} {n}
        , даже когда {n} у {p} меняется {t}
        , и здесь уместны {d} простых мысли
        ; замечание про {n} очень своевременно
        , как хорошо знает {p}, глядя на {n}
        , при условии что {n} в порядке
        """
    ),
    _lines(
        """
        , не теряя из виду {n}.
        , и в этом {p} особенно убедителен.
        , отчего {n} кажется {a}.
        . А {n} придёт потом.
        , шаг за шагом, {n} за {n}.
        . Будет интересно узнать, что думают о теме «{n}» другие.
        , как показали последние {d} недель.
        .
        """
    ),
    _lines(
        """
        добро пожаловать, {p}! загляните в тему «{n}»
        привет, {p}, рады видеть
        здравствуйте! расскажите про ваш {n}
        """
    ),
    _lines(
        """
        пожалуйста, по теме «{n}»
        перенесено в раздел «{n}»
        прочтите правила, прежде чем писать про {n}
        """
    ),
    (", ", ". ", " и ", ", но ", "; ", ", потому что "),
    (".", ".", "", "!", "...", "?"),
)

_CHINESE: Final = Language(
    "zh",
    {
        "n": _w(
            "花园 大桥 水壶 火车 车票 博物馆 小说 比赛 进球 吉他 演唱会 专辑 服务器 键盘 考试 诊所"
            " 市场 房租 厨房 沙发 台灯 小狗 小猫 马 西红柿 面包 奶酪 咖啡 绿茶 面条 汤 菜刀 彗星 行星"
            " 火箭 台风 海滩 小岛 渡轮 护照 酒店 地图 背包 毛线 陶土 画笔 镜子 手表 象棋 包裹 保险"
            " 存款 菜园 树林 小路 工作室 发动机 刹车 路灯 阳台 剧院 演员 邻居 广场 喷泉 帽子 大衣"
            " 笔记本 自行车 相机 菜谱 烤箱"
        ),
        "a": _w(
            "坏了 奇怪 便宜 很重 明亮 糟糕 可爱 老旧 小巧 巨大 太慢 很快 空荡 拥挤 诚实 吵闹 温暖"
            " 冰冷 新鲜 锋利 聪明 普通 很深 苦涩 香甜 简单 脆弱 干净 干燥 公平 安静 崭新 轻便 昏暗"
            " 少见"
        ),
        "v": _w(
            "修好了 弄丢了 找到了 卖掉了 买了 借了 打扫了 刷了 错过了 看了 做完了 开始弄 带来了 写了"
            " 读了 煮了 烧坏了 量了 打开了 关上了 搬走了 弄坏了 试了 预订了 取消了 种下了 洗了 录了"
            " 退了 忘了 画了 搭好了 比较了 订了 藏起来了"
        ),
        "t": (
            "今天早上",
            "昨晚",
            "星期天",
            "下班以后",
            "午饭前",
            "下雨的时候",
            "在车站",
            "学校旁边",
            "整个星期",
            "从三月起",
            "不小心",
            "在城里",
            "最后",
            "两天前",
            "和平时一样",
            "在姐姐家",
        ),
    },
    _w("林 安 青 云 山 海 子 文 晓 宁 石 禾 阳 川 雨 白 木 清 远 南 溪 星 若 一"),
    _lines(
        """
        我{t}{v}那个{n}
        {p}的{n}真的{a}
        我的{n}有点{a},{n}更糟
        有人{v}{p}家的{n}吗
        {t}{p}{v}我的{n}
        已经有{d}个人{v}这个{n}
        为什么每个{n}都这么{a}
        还在等{p}说的{n}
        没人{v}{n},实在{a}
        听{p}说{n}要{d}块
        如果{n}{a},我宁愿要{n}
        {t}{n}变得{a},我们就{v}它
        弟弟{v}{n},我{v}{n}
        一个{a}的{n},一个{a}的{n}
        """
    ),
    _lines(
        """
        好的
        不是
        哈哈哈
        谢谢!
        我也是
        不知道
        马上到
        还没
        哪个?
        等等
        搞定
        到时见
        没错
        几点?
        可以啊
        """
    ),
    _lines(
        """
        值得注意的是,{n}在{t}显得{a}
        从实践来看,一个{a}的{n}很有帮助
        虽然{n}看上去{a}
        从更广的角度来说
        总的来说,{n}依然{a}
        对刚接触{n}的朋友而言
        回想{p}{t}{v}{n}的经历
        关于{n}的这个观察十分及时
        """
    ),
    _lines(
        """
        ,尤其当我们想到{p}与{n}的时候
        ,而它与{n}之间的关系更加微妙
        ,因为对{n}的耐心往往比速度更重要
        ,即使{p}身边的{n}{t}有所变化
        ,这里有{d}个关于{n}的小建议
        ,正如{p}谈到{n}时所说的那样
        ,前提是{n}得到妥善对待
        ,这一点与{p}对{n}的看法不谋而合
        """
    ),
    _lines(
        """
        ,同时也不忘{n}的意义。
        ,这正是{p}的可贵之处。
        ,让{n}变得格外{a}。
        。至于{n},不妨慢慢来。
        ,一步一步走近{n}。
        。期待听到大家对{n}的想法!
        ,最近{d}周的变化就是证明。
        。
        """
    ),
    _lines(
        """
        欢迎{p},可以先看看{n}的帖子
        {p}你好,欢迎加入
        欢迎新朋友,说说你的{n}吧
        """
    ),
    _lines(
        """
        请不要偏离{n}的话题
        已移到{n}版块
        发{n}之前请先看版规
        """
    ),
    (",", "。", ",而且", ",但是", ";", ",因为"),
    ("。", "", "!", "……", "?", "。"),
)

LANGUAGES: Final = (_ENGLISH, _SPANISH, _RUSSIAN, _CHINESE)
