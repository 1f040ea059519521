"""A brand's logo: a picture and nothing else, seen by its own people only."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.provisioning_api import Api

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
JPEG = b"\xff\xd8\xff\xe0" + b"j" * 100


async def put(api: Api, who: str, brand: dict[str, Any], body: bytes) -> Any:
    return await api.call(who, "PUT", f"brands/{brand['id']}/logo", content=body)


async def test_a_logo_is_set_seen_replaced_and_removed(api: Api) -> None:
    """By the platform; brand and clients see it, others do not know of it."""
    brand, other = await api.brand(), await api.brand()
    client, path = await api.client(brand), f"brands/{brand['id']}/logo"
    assert (await api.get(brand["name"], path)).status_code == 404
    assert (await put(api, "platform", brand, PNG)).status_code == 204
    for who in (brand["name"], client["name"], "platform"):
        seen = await api.get(who, path)
        assert (seen.content, seen.headers["content-type"]) == (PNG, "image/png")
    again = await api.get(brand["name"], path, headers={"If-None-Match": seen.headers["etag"]})
    assert again.status_code == 304
    assert (await api.get(other["name"], path)).status_code == 404
    assert (await put(api, "platform", brand, JPEG)).status_code == 204
    assert (await api.get(brand["name"], path)).headers["content-type"] == "image/jpeg"
    assert (await api.delete("platform", path)).status_code == 204
    assert (await api.delete("platform", path)).status_code == 404
    query = f"audit-log?entity_id={brand['id']}&action=update"
    logged = (await api.get(brand["name"], query)).json()["items"]
    assert [(bool(e["changes"]["logo"]["before"]), bool(e["changes"]["logo"]["after"])) for e in logged] == [
        (True, False),
        (True, True),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 422),
        (b"GIF89a", 422),
        (PNG + b"x" * 512 * 1024, 413),
    ],
)
async def test_only_a_small_png_or_jpeg_is_taken(api: Api, body: bytes, status: int) -> None:
    """An SVG can hold scripts, which a portal would run."""
    assert (await put(api, "platform", await api.brand(), body)).status_code == status


async def test_only_the_platform_sets_it(api: Api) -> None:
    """A brand's own row is the platform's to write."""
    brand = await api.brand()
    assert (await put(api, brand["name"], brand, PNG)).status_code == 403
    assert (await api.delete(brand["name"], f"brands/{brand['id']}/logo")).status_code == 403
