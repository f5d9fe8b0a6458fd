// The share of blocks whose mean colour differs between a recorded WebP and a PNG, the first of them, and both sizes.
async ([golden, png, scale, size, step]) => {
  const drawn = async (kind, text, factor) => {
    const picture = await createImageBitmap(await (await fetch(`data:image/${kind};base64,${text}`)).blob());
    const canvas = new OffscreenCanvas(Math.round(picture.width * factor), Math.round(picture.height * factor));
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return [canvas, pen];
  };
  const [one, before] = await drawn("webp", golden, 1);
  const [two, after] = await drawn("png", png, scale);
  const [width, height] = [Math.max(one.width, two.width), Math.max(one.height, two.height)];
  const [a, b] = [before, after].map((pen) => pen.getImageData(0, 0, width, height).data);
  const changed = [];
  for (let top = 0; top < height; top += size)
    for (let left = 0; left < width; left += size) {
      const sums = [0, 0, 0];
      for (let y = top; y < Math.min(top + size, height); y += 1)
        for (let x = left; x < Math.min(left + size, width); x += 1)
          for (let color = 0; color < 3; color += 1) sums[color] += a[4 * (y * width + x) + color] - b[4 * (y * width + x) + color];
      if (Math.max(...sums.map(Math.abs)) > step * size * size) changed.push([Math.round(left / scale), Math.round(top / scale)]);
    }
  const blocks = Math.ceil(width / size) * Math.ceil(height / size);
  return [changed.length / blocks, changed[0] ?? null, [one.width, one.height], [two.width, two.height]];
}
